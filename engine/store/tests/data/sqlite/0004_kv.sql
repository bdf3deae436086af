-- One plugin keeps a value for ever and one that has expired, one of the tenant's own something empty under a key that is no
-- word, and one has nothing left.
INSERT INTO kv (tenant, plugin, key, value, expires_at) VALUES
    (1, 'operator/count', CAST('count' AS BLOB), CAST('12' AS BLOB), NULL),
    (1, 'operator/count', CAST('seen' AS BLOB), CAST('1' AS BLOB), 1760000000500),
    (1, 'count', x'c3bc00', x'', 1760604800500);
INSERT INTO kv_usage (tenant, plugin, entries, bytes) VALUES
    (1, 'operator/count', 2, 12), (1, 'count', 1, 3), (1, 'operator/dedupe', 0, 0);
