-- One tenant; event 11 routed to two destinations, one delivered and one dead and replayed; event 12 dead and waiting in a
-- replay; event 13 waiting for a pass under a lease; one plugin. Every table has a row.
INSERT INTO engine_starts (node, started_at, alive_until) VALUES ('one', 1760000000000, 1760000015000);
INSERT INTO tenants (id, name, declared, created_at)
VALUES ('01900000-0000-7000-8000-000000000001', 'acme', true, 1760000000000);
INSERT INTO api_keys (id, tenant, name, hash, declared, created_at)
VALUES ('01900000-0000-7000-8000-000000000002', 1, 'main', decode(repeat('00', 32), 'hex'), true, 1760000000000);
INSERT INTO destinations (id, tenant, name, declared, disabled, status_since, created_at) VALUES
    ('01900000-0000-7000-8000-000000000003', 1, 'a', true, NULL, 1760000000000, 1760000000000),
    ('01900000-0000-7000-8000-000000000004', 1, 'b', false, 'gone', 1760000000000, 1760000000000);
INSERT INTO sealed_secrets (destination, name, sealed, created_at) VALUES (1, 'signing', '\x00', 1760000000000);
INSERT INTO events
    (id, tenant, source, type, content_type, body, received_at, state, passes, planned, due_at, lease_owner, ended_at, step, reason, replayed_by)
VALUES
    ('01900000-0000-7000-8000-000000000011', 1, 'api', 'a.b', 'application/json', '{}', 1760000000000, 'routed', 0, 2, NULL, 0, 1760000000000, NULL, NULL, NULL),
    ('01900000-0000-7000-8000-000000000012', 1, 'api', 'a.b', 'application/json', '{}', 1760000000000, 'dead', 1, 0, NULL, 0, 1760000000005, 'check', 'no', '01900000-0000-7000-8000-000000000022'),
    ('01900000-0000-7000-8000-000000000013', 1, 'api', 'a.b', 'application/json', '{}', 1760000000000, 'received', 0, 0, 1760000060000, 1, NULL, NULL, NULL, NULL);
INSERT INTO passes VALUES (
    '01900000-0000-7000-8000-000000000012', '00000000-0000-0000-0000-000000000000', 1, 1760000000001, 1760000000005,
    'dead', 0, '{"steps":[]}'
);
INSERT INTO replays (id, tenant, event, delivery, created_at, state, planned, due_at, ended_at) VALUES
    ('01900000-0000-7000-8000-000000000021', 1, '01900000-0000-7000-8000-000000000011', '01900000-0000-7000-8000-000000000032', 1760000000100, 'routed', 1, NULL, 1760000000100),
    ('01900000-0000-7000-8000-000000000022', 1, '01900000-0000-7000-8000-000000000012', NULL, 1760000000100, 'received', 0, 1760000000100, NULL);
INSERT INTO bodies VALUES ('01900000-0000-7000-8000-000000000032', '{"a":1}');
INSERT INTO deliveries
    (id, tenant, event, replay, pass, output, destination, body, request, planned_at, ends_at, state, attempts, due_at, ended_at, reason, replayed_by)
VALUES
    ('01900000-0000-7000-8000-000000000031', 1, '01900000-0000-7000-8000-000000000011', NULL, 0, 0, 1, NULL, NULL, 1760000000000, 1760604800000, 'delivered', 1, NULL, 1760000000009, NULL, NULL),
    ('01900000-0000-7000-8000-000000000032', 1, '01900000-0000-7000-8000-000000000011', NULL, 0, 0, 2, '01900000-0000-7000-8000-000000000032', NULL, 1760000000000, 1760604800000, 'dead', 1, NULL, 1760000000009, 'gone', '01900000-0000-7000-8000-000000000021'),
    ('01900000-0000-7000-8000-000000000033', 1, '01900000-0000-7000-8000-000000000011', '01900000-0000-7000-8000-000000000021', 0, 0, 2, '01900000-0000-7000-8000-000000000032', '{"path":"/x"}', 1760000000100, 1760604800100, 'pending', 0, 1760000000100, NULL, NULL, NULL);
INSERT INTO attempts VALUES
    ('01900000-0000-7000-8000-000000000031', 1, 1760000000001, 700, 'accepted', 200, NULL, NULL),
    ('01900000-0000-7000-8000-000000000032', 1, 1760000000001, 700, 'rejected', 410, NULL, NULL);
INSERT INTO responses VALUES ('01900000-0000-7000-8000-000000000032', 1, '[]', '\x00');
INSERT INTO dedupe VALUES (
    1, 'api', 'key:k', decode(repeat('00', 32), 'hex'), '01900000-0000-7000-8000-000000000011', 1760086400000
);
INSERT INTO ledger (tenant, day, shard, events, deliveries, replays, replay_deliveries) VALUES
    (1, 20370, 1, 2, 2, 1, 1), (1, 20370, 2, 1, 0, 1, 0);
INSERT INTO components VALUES (decode(repeat('00', 32), 'hex'), '\x00');
INSERT INTO plugins (id, tenant, name, mode, active, created_at) VALUES (
    '01900000-0000-7000-8000-000000000041', NULL, 'filter', 'following', decode(repeat('00', 32), 'hex'), 1760000000000
);
INSERT INTO plugin_versions (plugin, digest, component_bytes, roles, first_seen_at, state)
VALUES (1, decode(repeat('00', 32), 'hex'), 1, 'filter', 1760000000000, 'ready');
INSERT INTO plugin_activations (plugin, digest, by, folder, file, at)
VALUES (1, decode(repeat('00', 32), 'hex'), 'file', 'plugins', 'filter.wasm', 1760000000000);
INSERT INTO plugin_files VALUES ('plugins', 'filter.wasm', 1, decode(repeat('00', 32), 'hex'));
