-- A destination that is paused gets deliveries, and none is sent until it is resumed. What disables it outweighs that.
ALTER TABLE destinations ADD COLUMN paused boolean NOT NULL DEFAULT false;
