-- Why a check could not be made. The other checks of the run are made all the same, and the run fails at its end.
ALTER TABLE reconciliation_checks
  ADD COLUMN failure_code    text,
  ADD COLUMN failure_message text;

-- What a run found, by the cause of the exception that it raises.
CREATE INDEX reconciliation_differences_cause ON reconciliation_differences (run_id, (about ->> 'cause')) WHERE due;
