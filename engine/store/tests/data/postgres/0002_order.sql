-- Under ordering key `k`, event 14 is dead and replayed, event 15 has a pass under a lease, and event 16 and then the replay wait
-- behind it. Event 17 was routed under `l`: one delivery has ended, one is open, and one waits behind that.
INSERT INTO events
    (id, tenant, source, type, content_type, body, received_at, state, passes, planned, due_at, lease_owner, ended_at, reason, replayed_by, ordering_key, place)
VALUES
    ('01900000-0000-7000-8000-000000000014', 1, 'api', 'a.b', 'application/json', '{}', 1760000000200, 'dead', 1, 0, NULL, 0, 1760000000205, 'no', '01900000-0000-7000-8000-000000000023', 'k', nextval('lane_places')),
    ('01900000-0000-7000-8000-000000000015', 1, 'api', 'a.b', 'application/json', '{}', 1760000000200, 'received', 0, 0, 1760000060000, 1, NULL, NULL, NULL, 'k', nextval('lane_places')),
    ('01900000-0000-7000-8000-000000000016', 1, 'api', 'a.b', 'application/json', '{}', 1760000000200, 'received', 0, 0, 1760000000200, -1, NULL, NULL, NULL, 'k', nextval('lane_places')),
    ('01900000-0000-7000-8000-000000000017', 1, 'api', 'a.b', 'application/json', '{}', 1760000000200, 'routed', 0, 3, NULL, 0, 1760000000200, NULL, NULL, 'l', nextval('lane_places'));
INSERT INTO passes VALUES (
    '01900000-0000-7000-8000-000000000014', '00000000-0000-0000-0000-000000000000', 1, 1760000000201, 1760000000205,
    'dead', 0, '{"steps":[]}'
);
INSERT INTO deliveries
    (id, tenant, event, replay, pass, output, destination, body, planned_at, ends_at, state, attempts, due_at, lease_owner, ended_at, ordering_key, place)
VALUES
    ('01900000-0000-7000-8000-000000000034', 1, '01900000-0000-7000-8000-000000000017', NULL, 0, 0, 1, NULL, 1760000000200, 1760604800200, 'delivered', 1, NULL, 0, 1760000000209, 'l', nextval('lane_places')),
    ('01900000-0000-7000-8000-000000000035', 1, '01900000-0000-7000-8000-000000000017', NULL, 0, 1, 1, NULL, 1760000000200, 1760604800200, 'pending', 0, 1760000000200, 0, NULL, 'l', nextval('lane_places')),
    ('01900000-0000-7000-8000-000000000036', 1, '01900000-0000-7000-8000-000000000017', NULL, 0, 2, 1, NULL, 1760000000200, 1760604800200, 'pending', 0, 1760000000200, -1, NULL, 'l', nextval('lane_places'));
INSERT INTO attempts VALUES ('01900000-0000-7000-8000-000000000034', 1, 1760000000201, 700, 'accepted', 200, NULL, NULL);
INSERT INTO replays
    (id, tenant, event, delivery, created_at, state, planned, due_at, lease_owner, ended_at, ordering_key, place)
VALUES ('01900000-0000-7000-8000-000000000023', 1, '01900000-0000-7000-8000-000000000014', NULL, 1760000000300, 'received', 0, 1760000000300, -1, NULL, 'k', nextval('lane_places'));
UPDATE ledger SET events = events + 4, deliveries = deliveries + 3, replays = replays + 1 WHERE shard = 1;
