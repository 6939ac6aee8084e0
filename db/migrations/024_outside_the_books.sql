-- What is on addresses of ours and not in the books, and why.

-- Transfers below a network's minimum: counted a block, address and coin, and nothing else. Spam costs its sender more than us.
CREATE TABLE small_transfers (
  network      text NOT NULL,
  -- -1: all that are too deep to leave the chain.
  block_number bigint NOT NULL,
  address_id   text NOT NULL REFERENCES addresses,
  coin         text NOT NULL,
  transfers    bigint NOT NULL,
  amount       numeric(78,0) NOT NULL,
  PRIMARY KEY (network, block_number, address_id, coin)
);
CREATE INDEX small_transfers_address ON small_transfers (address_id);

-- Rises of balances that no transaction made. Each was an exception; a person decides whose the coins are.
CREATE TABLE balance_rises (
  network      text NOT NULL,
  address_id   text NOT NULL REFERENCES addresses,
  coin         text NOT NULL,
  -- 'validator_withdrawal': named by the block (EIP-4895). 'unexplained': only the balance shows it.
  source       text NOT NULL CHECK (source IN ('validator_withdrawal', 'unexplained')),
  -- The withdrawal's index, or the height at which the balance was compared.
  reference    text NOT NULL,
  block_number bigint NOT NULL,
  amount       numeric(78,0) NOT NULL,
  found_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (network, address_id, coin, source, reference)
);
CREATE INDEX balance_rises_block ON balance_rises (network, block_number);
