-- Periods: months of a merchant's books that two people close. A month without a row is open.
CREATE TABLE periods (
  merchant_id   text NOT NULL REFERENCES merchants,
  period        text NOT NULL CHECK (period ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
  status        text NOT NULL CHECK (status IN ('open', 'closing', 'closed')),
  -- The newest request about it.
  change_id     text REFERENCES control_changes,
  -- Window of time, of which only the begin is included. It may end before the month does.
  from_at       timestamptz NOT NULL,
  to_at         timestamptz NOT NULL,
  -- What was found when it was last asked to close: [{name, ok, found, examples}].
  checklist     jsonb NOT NULL DEFAULT '[]',
  -- Sums of the accounts at the end, and the block of each network with which they agree. Null while open.
  trial_balance jsonb,
  proof         jsonb,
  -- SHA-256 of the canonical form of {period, trial_balance, proof}.
  hash          text,
  -- Lines of the statement, in base units. Null until closed.
  statement     jsonb,
  closed_at     timestamptz,
  updated_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (merchant_id, period),
  CHECK (from_at < to_at),
  CHECK ((status = 'open') = (hash IS NULL) AND (status = 'closed') = (statement IS NOT NULL)
    AND (status = 'closed') = (closed_at IS NOT NULL))
);
-- One close at a time.
CREATE UNIQUE INDEX periods_closing ON periods (merchant_id) WHERE status = 'closing';

-- Up to when a merchant's books are closed, and up to which block of each network. Each posting reads it.
CREATE TABLE ledger_fences (
  merchant_id  text PRIMARY KEY REFERENCES merchants,
  closed_until timestamptz NOT NULL,
  heights      jsonb NOT NULL DEFAULT '{}'
);

-- Journals that belong to a closed period by their cause, and are booked in a later one.
CREATE TABLE period_adjustments (
  merchant_id text NOT NULL REFERENCES merchants,
  journal_id  bigint PRIMARY KEY REFERENCES ledger_journals
);
CREATE INDEX period_adjustments_merchant ON period_adjustments (merchant_id, journal_id);

-- Closing and re-opening a period need two approvals, as a change of the controls does.
ALTER TABLE control_changes DROP CONSTRAINT control_changes_kind_check;
ALTER TABLE control_changes ADD CONSTRAINT control_changes_kind_check
  CHECK (kind IN ('policy', 'whitelist', 'deposit_release', 'period_close', 'period_reopen'));
-- One request at a time for a period.
CREATE UNIQUE INDEX control_changes_period ON control_changes (merchant_id, (intent ->> 'period'))
  WHERE kind IN ('period_close', 'period_reopen') AND state = 'pending_approval';
