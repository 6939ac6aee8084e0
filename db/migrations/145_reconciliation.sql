-- Runs of the reconciliation. A run has a row a check, which the activity of the check writes when it has ended, so that a
-- run that dies repeats no check that is done.

CREATE TABLE reconciliation_runs (
  id                  text PRIMARY KEY,
  merchant_id         text NOT NULL REFERENCES merchants,
  status              text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'clean', 'differences', 'failed')),
  cause               text NOT NULL CHECK (cause IN ('request', 'schedule', 'period')),
  scope               text[] NOT NULL,
  -- Networks that it is limited to. Null: all.
  networks            text[],
  -- Height at which the chain is compared. Null: the newest settled block.
  at_block            bigint,
  -- [{network, block_number, block_hash}] at which the chain was compared.
  blocks              jsonb NOT NULL DEFAULT '[]',
  -- Names of the checks, in their order. Null until its workflow has begun.
  planned             text[],
  failure_code        text,
  failure_message     text,
  created_by          text NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- When its activities worked last. The sweeper starts the workflow of one that is late.
  touched_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at         timestamptz,
  workflow_started_at timestamptz,
  CHECK ((status = 'running') = (finished_at IS NULL)),
  CHECK ((status = 'failed') = (failure_code IS NOT NULL))
);
CREATE INDEX reconciliation_runs_merchant ON reconciliation_runs (merchant_id, id DESC);
CREATE INDEX reconciliation_runs_running ON reconciliation_runs (touched_at) WHERE status = 'running';
CREATE INDEX reconciliation_runs_open ON reconciliation_runs (merchant_id) WHERE status = 'running';

CREATE TABLE reconciliation_checks (
  run_id           text NOT NULL REFERENCES reconciliation_runs,
  name             text NOT NULL,
  -- Place in the run, from 1.
  place            integer NOT NULL,
  -- Rows that were compared.
  examined         bigint NOT NULL DEFAULT 0,
  -- All that was found. Of a check with very many, `reconciliation_differences` has the first.
  differences      bigint NOT NULL DEFAULT 0,
  expected         bigint NOT NULL DEFAULT 0,
  -- Null until it has ended.
  finished_at      timestamptz,
  PRIMARY KEY (run_id, name)
);

CREATE TABLE reconciliation_differences (
  run_id     text NOT NULL REFERENCES reconciliation_runs,
  check_name text NOT NULL,
  -- False: not due yet, and so no difference.
  due        boolean NOT NULL,
  -- Counts the differences of a check from 1, in the order in which they were found.
  number     integer NOT NULL,
  data       jsonb NOT NULL,
  PRIMARY KEY (run_id, check_name, due, number)
);
