-- What the sweeper remembers of rows: when it last made sure that their workflow exists, and which of them it could not serve.

-- Null until the first look; a workflow that was terminated, or lost with its server, is started by a later look.
ALTER TABLE deposits ADD COLUMN workflow_seen_at timestamptz;
ALTER TABLE withdrawals ADD COLUMN workflow_seen_at timestamptz;
ALTER TABLE batches ADD COLUMN workflow_seen_at timestamptz;
ALTER TABLE control_changes ADD COLUMN workflow_seen_at timestamptz;

-- Rows whose workflow could not be started or signalled for a reason of their own: put off, so that the others have their turn.
CREATE TABLE sweep_failures (
  -- Id of the row.
  subject   text PRIMARY KEY,
  failures  integer NOT NULL,
  message   text NOT NULL,
  retry_at  timestamptz NOT NULL
);

CREATE INDEX batches_open ON batches (created_at)
  WHERE stage IN ('requested', 'pending_review', 'pending_approval', 'approved');
CREATE INDEX control_changes_open ON control_changes (created_at) WHERE state IN ('pending_approval', 'cooling_down');
