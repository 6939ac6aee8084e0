-- Double-entry ledger: base units, signed entries (debit +, credit -), zero-sum per journal and asset, immutable.
-- The posting function is in 004_post_journal.sql.

CREATE TABLE ledger_accounts (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  merchant_id text NOT NULL,
  network     text NOT NULL,
  coin        text NOT NULL,
  -- 'chain': what an address of ours holds (owner = address id), an asset.
  -- 'available', 'reserved': what the merchant owes a user (owner = user_reference) or owns itself (owner = ''), liabilities.
  -- 'network_fee': fees paid to miners and validators (owner = ''), an expense.
  kind        text NOT NULL CHECK (kind IN ('chain', 'available', 'reserved', 'network_fee')),
  owner       text NOT NULL,
  balance     numeric(78,0) NOT NULL DEFAULT 0,
  version     bigint NOT NULL DEFAULT 0,
  updated_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (merchant_id, network, coin, kind, owner)
) WITH (fillfactor = 70);

CREATE TABLE ledger_journals (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  merchant_id     text NOT NULL,
  idempotency_key text NOT NULL,
  request_hash    bytea NOT NULL,
  type            text NOT NULL,
  reference       text NOT NULL,
  reverses        bigint UNIQUE REFERENCES ledger_journals,
  recorded_at     timestamptz NOT NULL,
  UNIQUE (merchant_id, idempotency_key)
);
CREATE INDEX ledger_journals_reference ON ledger_journals (merchant_id, reference);

CREATE TABLE ledger_entries (
  account_id      bigint NOT NULL REFERENCES ledger_accounts,
  account_version bigint NOT NULL,
  journal_id      bigint NOT NULL REFERENCES ledger_journals,
  amount          numeric(78,0) NOT NULL CHECK (amount <> 0),
  balance_after   numeric(78,0) NOT NULL,
  recorded_at     timestamptz NOT NULL,
  PRIMARY KEY (account_id, account_version)
);
CREATE INDEX ledger_entries_journal ON ledger_entries (journal_id);
