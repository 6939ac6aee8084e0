-- What accounts of ours did on an EVM chain without a transaction of ours that explains it.

-- Who sent the foreign transaction, where that is an account of ours: it used one of its nonces.
ALTER TABLE foreign_spends ADD COLUMN sender_address_id text REFERENCES addresses;
CREATE INDEX foreign_spends_sender ON foreign_spends (sender_address_id) WHERE sender_address_id IS NOT NULL;

-- Uses of an account's nonces that neither a payment of ours nor a foreign transaction that was seen explains. Each was an exception.
CREATE TABLE foreign_nonces (
  network      text NOT NULL,
  address_id   text NOT NULL REFERENCES addresses,
  -- At which they were seen first.
  block_number bigint NOT NULL,
  uses         bigint NOT NULL CHECK (uses > 0),
  found_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (network, address_id, block_number)
);

-- Falls of balances that no payment made: the journal lets the books follow the chain.
CREATE TABLE balance_falls (
  network      text NOT NULL,
  merchant_id  text NOT NULL REFERENCES merchants,
  address_id   text NOT NULL REFERENCES addresses,
  coin         text NOT NULL,
  block_number bigint NOT NULL,
  amount       numeric(78,0) NOT NULL CHECK (amount > 0),
  journal_id   bigint NOT NULL REFERENCES ledger_journals,
  found_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (network, address_id, coin, block_number)
);
CREATE INDEX balance_falls_block ON balance_falls (network, block_number);

-- Which nonces of an account payments of ours used.
CREATE INDEX transactions_used_nonces ON transactions (from_address_id, nonce) INCLUDE (block_number)
  WHERE state IN ('mined', 'final') AND nonce IS NOT NULL;
