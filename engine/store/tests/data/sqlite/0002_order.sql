-- Under ordering key `k`, event 4 is dead and replayed, event 5 has a pass under a lease, and event 6 and then the replay wait
-- behind it. Event 7 was routed under `l`: one delivery has ended, one is open, and one waits behind that.
INSERT INTO bodies VALUES (4, x'7b7d'), (5, x'7b7d'), (6, x'7b7d'), (7, x'7b7d');
INSERT INTO events
    (seq, id, tenant, source, type, content_type, body, received_at, state, passes, planned, due_at, lease_owner, ended_at, reason, replayed_by, ordering_key, place)
VALUES
    (4, x'01900000000070008000000000000014', 1, 'api', 'a.b', 'application/json', 4, 1760000000200, 'dead', 1, 0, NULL, 0, 1760000000205, 'no', 3, 'k', 1),
    (5, x'01900000000070008000000000000015', 1, 'api', 'a.b', 'application/json', 5, 1760000000200, 'received', 0, 0, 1760000060000, 1, NULL, NULL, NULL, 'k', 2),
    (6, x'01900000000070008000000000000016', 1, 'api', 'a.b', 'application/json', 6, 1760000000200, 'received', 0, 0, 1760000000200, -1, NULL, NULL, NULL, 'k', 3),
    (7, x'01900000000070008000000000000017', 1, 'api', 'a.b', 'application/json', 7, 1760000000200, 'routed', 0, 3, NULL, 0, 1760000000200, NULL, NULL, 'l', 4);
INSERT INTO passes VALUES (4, 0, 1, 1760000000201, 1760000000205, 'dead', 0, '{"steps":[]}');
INSERT INTO deliveries
    (seq, id, tenant, event, replay, pass, output, destination, body, planned_at, ends_at, state, attempts, due_at, lease_owner, ended_at, ordering_key, place)
VALUES
    (4, x'01900000000070008000000000000034', 1, 7, NULL, 0, 0, 1, 7, 1760000000200, 1760604800200, 'delivered', 1, NULL, 0, 1760000000209, 'l', 5),
    (5, x'01900000000070008000000000000035', 1, 7, NULL, 0, 1, 1, 7, 1760000000200, 1760604800200, 'pending', 0, 1760000000200, 0, NULL, 'l', 6),
    (6, x'01900000000070008000000000000036', 1, 7, NULL, 0, 2, 1, 7, 1760000000200, 1760604800200, 'pending', 0, 1760000000200, -1, NULL, 'l', 7);
INSERT INTO attempts VALUES (4, 1, 1760000000201, 700, 'accepted', 200, NULL, NULL);
INSERT INTO replays
    (seq, id, tenant, event, delivery, created_at, state, planned, due_at, lease_owner, ended_at, ordering_key, place)
VALUES (3, x'01900000000070008000000000000023', 1, 4, NULL, 1760000000300, 'received', 0, 1760000000300, -1, NULL, 'k', 8);
UPDATE ledger SET events = events + 4, deliveries = deliveries + 3, replays = replays + 1;
