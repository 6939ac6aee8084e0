-- A row that cannot be handled is put off, so that the loop which serves every merchant goes on with the others. Each counts its
-- failures, says why the last one failed, and is tried again after a wait that doubles.

ALTER TABLE audit_log
  ADD COLUMN seal_failures integer NOT NULL DEFAULT 0,
  ADD COLUMN seal_after    timestamptz,
  ADD COLUMN seal_error    text;
ALTER TABLE events
  ADD COLUMN seal_failures integer NOT NULL DEFAULT 0,
  ADD COLUMN seal_after    timestamptz,
  ADD COLUMN seal_error    text;
ALTER TABLE webhook_deliveries
  ADD COLUMN start_failures integer NOT NULL DEFAULT 0,
  ADD COLUMN start_after    timestamptz,
  ADD COLUMN start_error    text;
ALTER TABLE withdrawal_schedules
  ADD COLUMN sync_failures integer NOT NULL DEFAULT 0,
  ADD COLUMN sync_after    timestamptz,
  ADD COLUMN sync_error    text;
