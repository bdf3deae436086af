-- What plugins keep from event to event, for each tenant and plugin apart. The plugin is named as steps name it; a key is any text.
CREATE TABLE kv (
    seq INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants (seq),
    plugin TEXT NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER
) STRICT;

CREATE UNIQUE INDEX kv_by_key ON kv (tenant, plugin, key);
CREATE INDEX kv_by_expiry ON kv (expires_at, seq) WHERE expires_at IS NOT NULL;

-- How much that is, whether it has expired or not: kept up in every commit, so that a limit costs no count.
CREATE TABLE kv_usage (
    seq INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants (seq),
    plugin TEXT NOT NULL,
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    UNIQUE (tenant, plugin)
) STRICT;
