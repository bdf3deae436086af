-- What plugins keep from event to event, for each tenant and plugin apart. The plugin is named as steps name it; a key is any text,
-- and that may hold what Postgres' own texts may not.
CREATE TABLE kv (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant integer NOT NULL REFERENCES tenants (seq),
    plugin text NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    expires_at bigint,
    UNIQUE (tenant, plugin, key)
);

CREATE INDEX kv_by_expiry ON kv (expires_at, seq) WHERE expires_at IS NOT NULL;

-- How much that is, whether it has expired or not: kept up in every commit, so that a limit costs no count. Whoever changes what a plugin
-- keeps holds its row here, so that two engines' passes of one plugin are stored one after the other.
CREATE TABLE kv_usage (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant integer NOT NULL REFERENCES tenants (seq),
    plugin text NOT NULL,
    entries bigint NOT NULL,
    bytes bigint NOT NULL,
    UNIQUE (tenant, plugin)
);
