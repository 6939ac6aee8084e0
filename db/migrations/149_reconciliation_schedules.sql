-- Reconciliations that Temporal's Schedules start, one Schedule a merchant.

ALTER TABLE reconciliation_runs
  -- Time for which a Schedule started it, so that a firing that runs twice starts one run. Null: not by a Schedule.
  ADD COLUMN scheduled_at timestamptz;
CREATE UNIQUE INDEX reconciliation_runs_scheduled ON reconciliation_runs (merchant_id, scheduled_at)
  WHERE scheduled_at IS NOT NULL;

-- The Schedule of each merchant, as it was applied last.
CREATE TABLE reconciliation_schedules (
  merchant_id text PRIMARY KEY REFERENCES merchants,
  -- 0: none, because schedules are switched off.
  interval_ms bigint NOT NULL,
  checked_at  timestamptz NOT NULL
);
CREATE INDEX reconciliation_schedules_checked ON reconciliation_schedules (checked_at);
