-- Order on request. What has an ordering key waits in a lane: passes of one key of a tenant, deliveries of one key for a
-- destination. `place` says where in it, from one numbering for all lanes: the order of the commits, and within one that of
-- its events. Only the first of a lane may be leased; every other has lease_owner -1 and its own due_at until whatever ends
-- the one before it opens it in the same commit. Rows without a key have neither, and stand in none of these indexes.
ALTER TABLE events ADD COLUMN ordering_key TEXT;
ALTER TABLE events ADD COLUMN place INTEGER;
ALTER TABLE replays ADD COLUMN ordering_key TEXT;
ALTER TABLE replays ADD COLUMN place INTEGER;
ALTER TABLE deliveries ADD COLUMN ordering_key TEXT;
ALTER TABLE deliveries ADD COLUMN place INTEGER;

CREATE INDEX events_in_lanes ON events (tenant, ordering_key, place)
    WHERE ordering_key IS NOT NULL AND state = 'received';
CREATE INDEX replays_in_lanes ON replays (tenant, ordering_key, place)
    WHERE ordering_key IS NOT NULL AND state = 'received';
CREATE INDEX deliveries_in_lanes ON deliveries (destination, ordering_key, place)
    WHERE ordering_key IS NOT NULL AND state = 'pending';

-- Whatever nobody works on, due or not, behind others or free: its lifetime ends all the same.
CREATE INDEX deliveries_by_lifetime ON deliveries (ends_at) WHERE state = 'pending' AND lease_owner <= 0;
