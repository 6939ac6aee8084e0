-- Items of a replay are removed when their delivery has ended, so that a read of the replay counts few. The sweeper does
-- so, also for a replay that has ended itself, and counts first attempts that came after it was cancelled.

ALTER TABLE webhook_replays
  -- Whether the replay and all of its deliveries have ended, so that its figures no longer change.
  ADD COLUMN settled    boolean NOT NULL DEFAULT false,
  -- When its items were examined last.
  ADD COLUMN checked_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX webhook_replays_unsettled ON webhook_replays (checked_at) WHERE NOT settled;
