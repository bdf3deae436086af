-- A paused destination, for which a delivery of event 18 waits, and one that was paused and then disabled.
INSERT INTO destinations (id, tenant, name, declared, disabled, status_since, created_at, paused) VALUES
    ('01900000-0000-7000-8000-000000000005', 1, 'c', true, NULL, 1760000000400, 1760000000000, true),
    ('01900000-0000-7000-8000-000000000006', 1, 'd', true, 'operator', 1760000000400, 1760000000000, true);
INSERT INTO events
    (id, tenant, source, type, content_type, body, received_at, state, passes, planned, ended_at)
VALUES ('01900000-0000-7000-8000-000000000018', 1, 'api', 'a.b', 'application/json', '{}', 1760000000400, 'routed', 0, 1, 1760000000400);
INSERT INTO deliveries
    (id, tenant, event, replay, pass, output, destination, body, planned_at, ends_at, state, attempts, due_at)
VALUES ('01900000-0000-7000-8000-000000000037', 1, '01900000-0000-7000-8000-000000000018', NULL, 0, 0, 3, NULL, 1760000000400, 1760604800400, 'pending', 0, 1760000000400);
UPDATE ledger SET events = events + 1, deliveries = deliveries + 1 WHERE shard = 2;
