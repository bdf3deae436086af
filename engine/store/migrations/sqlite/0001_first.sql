-- The tables of Weft. Ids are the 16 bytes of a TypeID, times are milliseconds since the Unix epoch, states are words.
-- Rows that the hot paths write have a number of their own (seq, in the order of the commits): pointing to a number of
-- four bytes instead of an id of sixteen keeps rows and indexes small, and appending to a table fills its pages.
-- Foreign keys are declared and not enforced while running, where each would cost a look-up; `weft check` proves them.

CREATE TABLE engine_starts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tenants (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    declared INTEGER NOT NULL CHECK (declared IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

-- The tenant of an operator's key is NULL.
CREATE TABLE api_keys (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant INTEGER REFERENCES tenants (seq),
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    declared INTEGER NOT NULL CHECK (declared IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX api_keys_of_owner ON api_keys (coalesce(tenant, 0), name);

-- What a person or a receiver disabled stays disabled when the file drops a destination and declares it again.
CREATE TABLE destinations (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant INTEGER NOT NULL REFERENCES tenants (seq),
    name TEXT NOT NULL,
    declared INTEGER NOT NULL CHECK (declared IN (0, 1)),
    disabled TEXT CHECK (disabled IN ('gone', 'operator')),
    status_since INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (tenant, name)
) STRICT;

CREATE TABLE sealed_secrets (
    seq INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL REFERENCES destinations (seq),
    name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (destination, name)
) STRICT;

CREATE TABLE bodies (
    seq INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- due_at says when somebody may next take a waiting row: of a free one (lease_owner 0) the time it is due, of a leased
-- one the time its lease ends. Ended rows have none. `planned` counts the deliveries that the event's own pass made.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenants (seq),
    source TEXT NOT NULL,
    external_id TEXT,
    type TEXT NOT NULL,
    content_type TEXT NOT NULL,
    headers TEXT,
    body INTEGER NOT NULL REFERENCES bodies (seq),
    received_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('received', 'routed', 'dropped', 'dead')),
    passes INTEGER NOT NULL DEFAULT 0,
    planned INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,
    lease_owner INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER,
    step TEXT,
    reason TEXT,
    replayed_by INTEGER REFERENCES replays (seq)
) STRICT;

CREATE UNIQUE INDEX events_by_id ON events (id);
CREATE INDEX events_waiting ON events (lease_owner, due_at) WHERE state = 'received';
CREATE INDEX events_dead ON events (replayed_by IS NOT NULL, ended_at, id) WHERE state = 'dead';
CREATE INDEX events_dead_of_tenant ON events (tenant, replayed_by IS NOT NULL, ended_at, id) WHERE state = 'dead';

-- A replay of an event waits for passes as the event did; a replay of a delivery is routed from the start.
CREATE TABLE replays (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant INTEGER NOT NULL REFERENCES tenants (seq),
    event INTEGER NOT NULL REFERENCES events (seq),
    delivery INTEGER REFERENCES deliveries (seq),
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('received', 'routed', 'dropped', 'dead')),
    passes INTEGER NOT NULL DEFAULT 0,
    planned INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,
    lease_owner INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER,
    step TEXT,
    reason TEXT
) STRICT;

CREATE INDEX replays_of_event ON replays (event);
CREATE INDEX replays_waiting ON replays (lease_owner, due_at) WHERE state = 'received';

-- One row for each pass that has run; replay is 0 for the event's own.
CREATE TABLE passes (
    event INTEGER NOT NULL REFERENCES events (seq),
    replay INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('routed', 'dropped', 'dead', 'retry')),
    planned INTEGER NOT NULL,
    trace TEXT NOT NULL,
    PRIMARY KEY (event, replay, number)
) STRICT, WITHOUT ROWID;

-- due_at as in events. The index of waiting rows has the owner before the time: free rows of a destination stand
-- together in the order of their due times, and so do those of each engine start.
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenants (seq),
    event INTEGER NOT NULL REFERENCES events (seq),
    replay INTEGER REFERENCES replays (seq),
    pass INTEGER NOT NULL,
    output INTEGER NOT NULL,
    destination INTEGER NOT NULL REFERENCES destinations (seq),
    body INTEGER NOT NULL REFERENCES bodies (seq),
    request TEXT,
    planned_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'dropped', 'cancelled')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,
    lease_owner INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER,
    reason TEXT,
    replayed_by INTEGER REFERENCES replays (seq)
) STRICT;

CREATE UNIQUE INDEX deliveries_by_id ON deliveries (id);
CREATE INDEX deliveries_of_event ON deliveries (event);
CREATE INDEX deliveries_waiting ON deliveries (destination, lease_owner, due_at) WHERE state = 'pending';
CREATE INDEX deliveries_dead ON deliveries (replayed_by IS NOT NULL, ended_at, id) WHERE state = 'dead';
CREATE INDEX deliveries_dead_of_tenant
    ON deliveries (tenant, replayed_by IS NOT NULL, ended_at, id) WHERE state = 'dead';
CREATE INDEX deliveries_dead_of_destination
    ON deliveries (destination, replayed_by IS NOT NULL, ended_at, id) WHERE state = 'dead';

CREATE TABLE attempts (
    delivery INTEGER NOT NULL REFERENCES deliveries (seq),
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    took_us INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'rejected', 'timed-out', 'unreachable', 'forbidden')),
    status INTEGER,
    retry_after_ms INTEGER,
    detail TEXT,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- What came back, for attempts that failed.
CREATE TABLE responses (
    delivery INTEGER NOT NULL,
    number INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (delivery, number),
    FOREIGN KEY (delivery, number) REFERENCES attempts (delivery, number)
) STRICT, WITHOUT ROWID;

-- Idempotency keys live apart from events, so that events can be partitioned and pruned by themselves.
CREATE TABLE dedupe (
    seq INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants (seq),
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    event_id BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (tenant, source, key)
) STRICT;

-- What was stored and what was pruned, by the day (since the epoch, UTC) on which it was accepted or planned. What a
-- replay planned counts apart.
CREATE TABLE ledger (
    tenant INTEGER NOT NULL REFERENCES tenants (seq),
    day INTEGER NOT NULL,
    events INTEGER NOT NULL DEFAULT 0,
    deliveries INTEGER NOT NULL DEFAULT 0,
    replays INTEGER NOT NULL DEFAULT 0,
    replay_deliveries INTEGER NOT NULL DEFAULT 0,
    events_routed_pruned INTEGER NOT NULL DEFAULT 0,
    events_dropped_pruned INTEGER NOT NULL DEFAULT 0,
    events_dead_pruned INTEGER NOT NULL DEFAULT 0,
    deliveries_delivered_pruned INTEGER NOT NULL DEFAULT 0,
    deliveries_dead_pruned INTEGER NOT NULL DEFAULT 0,
    deliveries_dropped_pruned INTEGER NOT NULL DEFAULT 0,
    deliveries_cancelled_pruned INTEGER NOT NULL DEFAULT 0,
    replays_pruned INTEGER NOT NULL DEFAULT 0,
    replay_deliveries_pruned INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;

-- The tenant of an operator's plugin is NULL.
CREATE TABLE plugins (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant INTEGER REFERENCES tenants (seq),
    name TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('following', 'pinned')),
    active BLOB REFERENCES components (digest),
    created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX plugins_of_owner ON plugins (coalesce(tenant, 0), name);

CREATE TABLE components (
    digest BLOB PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE plugin_versions (
    seq INTEGER PRIMARY KEY,
    plugin INTEGER NOT NULL REFERENCES plugins (seq),
    digest BLOB NOT NULL,
    component_bytes INTEGER NOT NULL,
    roles TEXT,
    refusal TEXT,
    rolled_back_at INTEGER,
    first_seen_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'refused')),
    UNIQUE (plugin, digest)
) STRICT;

CREATE TABLE plugin_activations (
    seq INTEGER PRIMARY KEY,
    plugin INTEGER NOT NULL REFERENCES plugins (seq),
    digest BLOB NOT NULL,
    previous BLOB,
    by TEXT NOT NULL CHECK (by IN ('file', 'person', 'rollback')),
    folder TEXT,
    file TEXT,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX plugin_activations_of_plugin ON plugin_activations (plugin);

-- The version last activated from each file: only another one is a proposal.
CREATE TABLE plugin_files (
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    plugin INTEGER NOT NULL REFERENCES plugins (seq),
    activated BLOB NOT NULL,
    PRIMARY KEY (folder, name)
) STRICT, WITHOUT ROWID;
