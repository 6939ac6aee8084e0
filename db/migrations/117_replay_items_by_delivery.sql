-- The sealer asks of a requested delivery whether a replay has requested it, so that those of a replay start after new ones.
CREATE INDEX webhook_replay_items_delivery ON webhook_replay_items (delivery_id) WHERE NOT failed;
-- A merchant's running replays are counted before another one starts.
CREATE INDEX webhook_replays_of_merchant ON webhook_replays (merchant_id) WHERE status = 'running';
