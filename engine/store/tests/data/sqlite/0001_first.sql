-- One tenant; event 1 routed to two destinations, one delivered and one dead and replayed; event 2 dead and waiting in a
-- replay; event 3 waiting for a pass under a lease; one plugin. Every table has a row.
INSERT INTO engine_starts (number, started_at) VALUES (1, 1760000000000);
INSERT INTO tenants VALUES (1, x'01900000000070008000000000000001', 'acme', 1, 1760000000000);
INSERT INTO api_keys VALUES (1, x'01900000000070008000000000000002', 1, 'main', zeroblob(32), 1, 1760000000000);
INSERT INTO destinations VALUES
    (1, x'01900000000070008000000000000003', 1, 'a', 1, NULL, 1760000000000, 1760000000000),
    (2, x'01900000000070008000000000000004', 1, 'b', 0, 'gone', 1760000000000, 1760000000000);
INSERT INTO sealed_secrets VALUES (1, 1, 'signing', x'00', 1760000000000);
INSERT INTO bodies VALUES (1, x'7b7d'), (2, x'7b7d'), (3, x'7b7d');
INSERT INTO events
    (seq, id, tenant, source, type, content_type, body, received_at, state, passes, planned, due_at, lease_owner, ended_at, step, reason, replayed_by)
VALUES
    (1, x'01900000000070008000000000000011', 1, 'api', 'a.b', 'application/json', 1, 1760000000000, 'routed', 0, 2, NULL, 0, 1760000000000, NULL, NULL, NULL),
    (2, x'01900000000070008000000000000012', 1, 'api', 'a.b', 'application/json', 2, 1760000000000, 'dead', 1, 0, NULL, 0, 1760000000005, 'check', 'no', 2),
    (3, x'01900000000070008000000000000013', 1, 'api', 'a.b', 'application/json', 3, 1760000000000, 'received', 0, 0, 1760000060000, 1, NULL, NULL, NULL, NULL);
INSERT INTO passes VALUES (2, 0, 1, 1760000000001, 1760000000005, 'dead', 0, '{"steps":[]}');
INSERT INTO replays (seq, id, tenant, event, delivery, created_at, state, planned, due_at, ended_at) VALUES
    (1, x'01900000000070008000000000000021', 1, 1, 2, 1760000000100, 'routed', 1, NULL, 1760000000100),
    (2, x'01900000000070008000000000000022', 1, 2, NULL, 1760000000100, 'received', 0, 1760000000100, NULL);
INSERT INTO deliveries
    (seq, id, tenant, event, replay, pass, output, destination, body, request, planned_at, ends_at, state, attempts, due_at, ended_at, reason, replayed_by)
VALUES
    (1, x'01900000000070008000000000000031', 1, 1, NULL, 0, 0, 1, 1, NULL, 1760000000000, 1760604800000, 'delivered', 1, NULL, 1760000000009, NULL, NULL),
    (2, x'01900000000070008000000000000032', 1, 1, NULL, 0, 0, 2, 1, NULL, 1760000000000, 1760604800000, 'dead', 1, NULL, 1760000000009, 'gone', 1),
    (3, x'01900000000070008000000000000033', 1, 1, 1, 0, 0, 2, 1, '{"path":"/x"}', 1760000000100, 1760604800100, 'pending', 0, 1760000000100, NULL, NULL, NULL);
INSERT INTO attempts VALUES
    (1, 1, 1760000000001, 700, 'accepted', 200, NULL, NULL),
    (2, 1, 1760000000001, 700, 'rejected', 410, NULL, NULL);
INSERT INTO responses VALUES (2, 1, '[]', x'00');
INSERT INTO dedupe VALUES (1, 1, 'api', 'key:k', zeroblob(32), x'01900000000070008000000000000011', 1760086400000);
INSERT INTO ledger (tenant, day, events, deliveries, replays, replay_deliveries) VALUES (1, 20370, 3, 2, 2, 1);
INSERT INTO components VALUES (zeroblob(32), x'00');
INSERT INTO plugins VALUES (1, x'01900000000070008000000000000041', NULL, 'filter', 'following', zeroblob(32), 1760000000000);
INSERT INTO plugin_versions (plugin, digest, component_bytes, roles, first_seen_at, state) VALUES (1, zeroblob(32), 1, 'filter', 1760000000000, 'ready');
INSERT INTO plugin_activations (plugin, digest, by, folder, file, at) VALUES (1, zeroblob(32), 'file', 'plugins', 'filter.wasm', 1760000000000);
INSERT INTO plugin_files VALUES ('plugins', 'filter.wasm', 1, zeroblob(32));
