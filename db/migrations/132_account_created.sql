-- When an account was made, so that a balance of long ago reads the accounts of that time alone. It is the beginning of the
-- transaction that made the account, which is never later than its first entry.
ALTER TABLE ledger_accounts ADD COLUMN created_at timestamptz;
UPDATE ledger_accounts account SET created_at = coalesce(
  (SELECT recorded_at FROM ledger_entries WHERE account_id = account.id AND account_version = 1), '-infinity');
ALTER TABLE ledger_accounts ALTER COLUMN created_at SET DEFAULT now(), ALTER COLUMN created_at SET NOT NULL;
CREATE INDEX ledger_accounts_created ON ledger_accounts (merchant_id, created_at);
