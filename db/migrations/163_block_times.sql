-- The usual time between two blocks of the coin's network. Null until a process has started with this version.
ALTER TABLE known_coins ADD COLUMN block_time_ms bigint;
