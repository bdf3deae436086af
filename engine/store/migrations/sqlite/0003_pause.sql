-- A destination that is paused gets deliveries, and none is sent until it is resumed. What disables it outweighs that.
ALTER TABLE destinations ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1));
