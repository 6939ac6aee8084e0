-- Disputes hold money, and resolutions move it: after two approvals, or by a withdrawal.

-- What a dispute holds in `reserved`, until it is resolved.
CREATE TABLE exception_holds (
  exception_id text NOT NULL REFERENCES exceptions,
  merchant_id  text NOT NULL REFERENCES merchants,
  network      text NOT NULL,
  coin         text NOT NULL,
  -- User whose money it is. Empty: the merchant's own account.
  owner        text NOT NULL,
  amount       numeric(78,0) NOT NULL CHECK (amount > 0),
  -- Journal that moved it from `available` to `reserved`.
  journal_id   bigint NOT NULL REFERENCES ledger_journals,
  released_at  timestamptz
);
-- A dispute holds an amount once at a time. It may hold it again after a refund that failed.
CREATE UNIQUE INDEX exception_holds_standing ON exception_holds (exception_id, network, coin, owner)
  WHERE released_at IS NULL;
CREATE INDEX exception_holds_owner ON exception_holds (merchant_id, network, coin, owner) WHERE released_at IS NULL;

ALTER TABLE exceptions
  -- Request whose approvals a proposed resolution waits for, or the last one.
  ADD COLUMN change_id text REFERENCES control_changes,
  -- Withdrawal of a refund, while it is under way or once it was confirmed.
  ADD COLUMN withdrawal_id text REFERENCES payouts;
CREATE UNIQUE INDEX exceptions_withdrawal ON exceptions (withdrawal_id) WHERE withdrawal_id IS NOT NULL;

ALTER TABLE control_changes DROP CONSTRAINT control_changes_kind_check;
ALTER TABLE control_changes ADD CONSTRAINT control_changes_kind_check
  CHECK (kind IN ('policy', 'whitelist', 'deposit_release', 'exception_resolution', 'period_close', 'period_reopen'));
-- One request at a time for an exception.
CREATE UNIQUE INDEX control_changes_resolution ON control_changes ((intent ->> 'exception'))
  WHERE kind = 'exception_resolution' AND state = 'pending_approval';
