-- The reconciliation that the close of a period waits for.
ALTER TABLE periods ADD COLUMN run_id text REFERENCES reconciliation_runs;
