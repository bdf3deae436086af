-- The tables of Weft on Postgres. Ids are UUIDs (version 7: the time is in front), times are milliseconds since the Unix
-- epoch, states are words. Several engines may work on them, so nothing counts rows but the database.
--
-- What grows with traffic is partitioned by the time in its id, a week to a partition; engines make partitions ahead of
-- time, and drop one that has become empty: that gives its space back. A default partition takes an id from outside.
-- A row refers to others by id, and no foreign key is enforced, where each would cost a look-up; `weft check` proves them.

-- One row for each start of an engine: `number` owns its leases for as long as it is alive. A start ends when its engine
-- stops, when the same node starts again, or when it has not been heard of: then alive_until has passed.
CREATE TABLE engine_starts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node text NOT NULL,
    started_at bigint NOT NULL,
    alive_until bigint NOT NULL
);

CREATE INDEX engine_starts_of_node ON engine_starts (node, number);

CREATE TABLE tenants (
    seq integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    name text NOT NULL UNIQUE,
    declared boolean NOT NULL,
    created_at bigint NOT NULL
);

-- The tenant of an operator's key is NULL.
CREATE TABLE api_keys (
    seq integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    tenant integer REFERENCES tenants (seq),
    name text NOT NULL,
    hash bytea NOT NULL,
    declared boolean NOT NULL,
    created_at bigint NOT NULL
);

CREATE UNIQUE INDEX api_keys_of_owner ON api_keys (coalesce(tenant, 0), name);

-- What a person or a receiver disabled stays disabled when the file drops a destination and declares it again.
CREATE TABLE destinations (
    seq integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    tenant integer NOT NULL REFERENCES tenants (seq),
    name text NOT NULL,
    declared boolean NOT NULL,
    disabled text CHECK (disabled IN ('gone', 'operator')),
    status_since bigint NOT NULL,
    created_at bigint NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE sealed_secrets (
    seq integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    destination integer NOT NULL REFERENCES destinations (seq),
    name text NOT NULL,
    sealed bytea NOT NULL,
    created_at bigint NOT NULL,
    UNIQUE (destination, name)
);

-- due_at says when somebody may next take a waiting row: of a free one (lease_owner 0) the time it is due, of a leased
-- one the time its lease ends. Ended rows have none. `planned` counts the deliveries that the event's own pass made.
-- Most deliveries send the event's body, so it lies in the event's row.
CREATE TABLE events (
    id uuid NOT NULL,
    tenant integer NOT NULL,
    source text NOT NULL,
    external_id text,
    type text NOT NULL,
    content_type text NOT NULL,
    headers text,
    body bytea NOT NULL,
    received_at bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('received', 'routed', 'dropped', 'dead')),
    passes integer NOT NULL DEFAULT 0,
    planned integer NOT NULL DEFAULT 0,
    due_at bigint,
    lease_owner bigint NOT NULL DEFAULT 0,
    ended_at bigint,
    step text,
    reason text,
    replayed_by uuid,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE TABLE events_default PARTITION OF events DEFAULT;

CREATE INDEX events_waiting ON events (due_at) WHERE state = 'received' AND lease_owner = 0;
CREATE INDEX events_leased ON events (lease_owner, due_at) WHERE state = 'received' AND lease_owner <> 0;
CREATE INDEX events_dead ON events (((replayed_by IS NOT NULL)::integer), ended_at, id) WHERE state = 'dead';
CREATE INDEX events_dead_of_tenant ON events (tenant, ((replayed_by IS NOT NULL)::integer), ended_at, id) WHERE state = 'dead';

-- A replay of an event waits for passes as the event did; a replay of a delivery is routed from the start. There are few,
-- so they lie in one table.
CREATE TABLE replays (
    id uuid PRIMARY KEY,
    tenant integer NOT NULL,
    event uuid NOT NULL,
    delivery uuid,
    created_at bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('received', 'routed', 'dropped', 'dead')),
    passes integer NOT NULL DEFAULT 0,
    planned integer NOT NULL DEFAULT 0,
    due_at bigint,
    lease_owner bigint NOT NULL DEFAULT 0,
    ended_at bigint,
    step text,
    reason text
);

CREATE INDEX replays_of_event ON replays (event);
CREATE INDEX replays_waiting ON replays (due_at) WHERE state = 'received' AND lease_owner = 0;
CREATE INDEX replays_leased ON replays (lease_owner, due_at) WHERE state = 'received' AND lease_owner <> 0;

-- One row for each pass that has run; replay is the zero UUID for the event's own.
CREATE TABLE passes (
    event uuid NOT NULL,
    replay uuid NOT NULL,
    number integer NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    result text NOT NULL CHECK (result IN ('routed', 'dropped', 'dead', 'retry')),
    planned integer NOT NULL,
    trace text NOT NULL,
    PRIMARY KEY (event, replay, number)
) PARTITION BY RANGE (event);

CREATE TABLE passes_default PARTITION OF passes DEFAULT;

-- Bodies that a pass made, named by the first delivery that sends them.
CREATE TABLE bodies (
    id uuid NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE TABLE bodies_default PARTITION OF bodies DEFAULT;

-- due_at as in events. `body` is NULL where the event's own is sent.
CREATE TABLE deliveries (
    id uuid NOT NULL,
    tenant integer NOT NULL,
    event uuid NOT NULL,
    replay uuid,
    pass integer NOT NULL,
    output integer NOT NULL,
    destination integer NOT NULL,
    body uuid,
    request text,
    planned_at bigint NOT NULL,
    ends_at bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'dropped', 'cancelled')),
    attempts integer NOT NULL DEFAULT 0,
    due_at bigint,
    lease_owner bigint NOT NULL DEFAULT 0,
    ended_at bigint,
    reason text,
    replayed_by uuid,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE TABLE deliveries_default PARTITION OF deliveries DEFAULT;

CREATE INDEX deliveries_of_event ON deliveries (event);
CREATE INDEX deliveries_waiting ON deliveries (destination, due_at)
    WHERE state = 'pending' AND lease_owner = 0;
CREATE INDEX deliveries_leased ON deliveries (lease_owner, due_at) WHERE state = 'pending' AND lease_owner <> 0;
CREATE INDEX deliveries_dead ON deliveries (((replayed_by IS NOT NULL)::integer), ended_at, id) WHERE state = 'dead';
CREATE INDEX deliveries_dead_of_tenant
    ON deliveries (tenant, ((replayed_by IS NOT NULL)::integer), ended_at, id) WHERE state = 'dead';
CREATE INDEX deliveries_dead_of_destination
    ON deliveries (destination, ((replayed_by IS NOT NULL)::integer), ended_at, id) WHERE state = 'dead';

CREATE TABLE attempts (
    delivery uuid NOT NULL,
    number integer NOT NULL,
    started_at bigint NOT NULL,
    took_us bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('accepted', 'rejected', 'timed-out', 'unreachable', 'forbidden')),
    status integer,
    retry_after_ms bigint,
    detail text,
    PRIMARY KEY (delivery, number)
) PARTITION BY RANGE (delivery);

CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;

-- What came back, for attempts that failed.
CREATE TABLE responses (
    delivery uuid NOT NULL,
    number integer NOT NULL,
    headers text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (delivery, number)
) PARTITION BY RANGE (delivery);

CREATE TABLE responses_default PARTITION OF responses DEFAULT;

-- Idempotency keys live apart from events, so that events can be partitioned and pruned by themselves: a key is unique
-- whatever the time of its event.
CREATE TABLE dedupe (
    tenant integer NOT NULL,
    source text NOT NULL,
    key text NOT NULL,
    body_digest bytea NOT NULL,
    event_id uuid NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (tenant, source, key)
);

CREATE INDEX dedupe_by_expiry ON dedupe (expires_at);

-- What was stored and what was pruned, by the day (since the epoch, UTC) on which it was accepted or planned. What a
-- replay planned counts apart. Engines write into shards of their own: one row for all would be a lock that each commit holds.
CREATE TABLE ledger (
    tenant integer NOT NULL REFERENCES tenants (seq),
    day bigint NOT NULL,
    shard smallint NOT NULL,
    events bigint NOT NULL DEFAULT 0,
    deliveries bigint NOT NULL DEFAULT 0,
    replays bigint NOT NULL DEFAULT 0,
    replay_deliveries bigint NOT NULL DEFAULT 0,
    events_routed_pruned bigint NOT NULL DEFAULT 0,
    events_dropped_pruned bigint NOT NULL DEFAULT 0,
    events_dead_pruned bigint NOT NULL DEFAULT 0,
    deliveries_delivered_pruned bigint NOT NULL DEFAULT 0,
    deliveries_dead_pruned bigint NOT NULL DEFAULT 0,
    deliveries_dropped_pruned bigint NOT NULL DEFAULT 0,
    deliveries_cancelled_pruned bigint NOT NULL DEFAULT 0,
    replays_pruned bigint NOT NULL DEFAULT 0,
    replay_deliveries_pruned bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, day, shard)
);

-- The tenant of an operator's plugin is NULL.
CREATE TABLE components (
    digest bytea PRIMARY KEY,
    bytes bytea NOT NULL
);

CREATE TABLE plugins (
    seq integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    tenant integer REFERENCES tenants (seq),
    name text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('following', 'pinned')),
    active bytea REFERENCES components (digest),
    created_at bigint NOT NULL
);

CREATE UNIQUE INDEX plugins_of_owner ON plugins (coalesce(tenant, 0), name);

CREATE TABLE plugin_versions (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plugin integer NOT NULL REFERENCES plugins (seq),
    digest bytea NOT NULL,
    component_bytes bigint NOT NULL,
    roles text,
    refusal text,
    rolled_back_at bigint,
    first_seen_at bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('ready', 'refused')),
    UNIQUE (plugin, digest)
);

CREATE TABLE plugin_activations (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plugin integer NOT NULL REFERENCES plugins (seq),
    digest bytea NOT NULL,
    previous bytea,
    by text NOT NULL CHECK (by IN ('file', 'person', 'rollback')),
    folder text,
    file text,
    at bigint NOT NULL
);

CREATE INDEX plugin_activations_of_plugin ON plugin_activations (plugin);

-- The version last activated from each file: only another one is a proposal.
CREATE TABLE plugin_files (
    folder text NOT NULL,
    name text NOT NULL,
    plugin integer NOT NULL REFERENCES plugins (seq),
    activated bytea NOT NULL,
    PRIMARY KEY (folder, name)
);
