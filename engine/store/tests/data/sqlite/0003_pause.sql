-- A paused destination, for which a delivery of event 8 waits, and one that was paused and then disabled.
INSERT INTO destinations (seq, id, tenant, name, declared, disabled, status_since, created_at, paused) VALUES
    (3, x'01900000000070008000000000000005', 1, 'c', 1, NULL, 1760000000400, 1760000000000, 1),
    (4, x'01900000000070008000000000000006', 1, 'd', 1, 'operator', 1760000000400, 1760000000000, 1);
INSERT INTO bodies VALUES (8, x'7b7d');
INSERT INTO events
    (seq, id, tenant, source, type, content_type, body, received_at, state, passes, planned, ended_at)
VALUES (8, x'01900000000070008000000000000018', 1, 'api', 'a.b', 'application/json', 8, 1760000000400, 'routed', 0, 1, 1760000000400);
INSERT INTO deliveries
    (seq, id, tenant, event, replay, pass, output, destination, body, planned_at, ends_at, state, attempts, due_at)
VALUES (7, x'01900000000070008000000000000037', 1, 8, NULL, 0, 0, 3, 8, 1760000000400, 1760604800400, 'pending', 0, 1760000000400);
UPDATE ledger SET events = events + 1, deliveries = deliveries + 1;
