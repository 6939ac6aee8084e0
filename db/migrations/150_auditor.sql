-- What the auditor saw on chains of the Bitcoin family by its own reading of blocks. The watcher never reads or writes it.

-- How far each chain was walked, and from where. A reorganisation is noticed by the hash.
CREATE TABLE audited_chains (
  network     text PRIMARY KEY,
  -- The first block that was read.
  first_block bigint NOT NULL,
  height      bigint NOT NULL,
  hash        text NOT NULL,
  updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Hashes of walked blocks, so that a fork is found: the newest ones, and one in a hundred of the others.
CREATE TABLE audited_blocks (
  network text NOT NULL,
  height  bigint NOT NULL,
  hash    text NOT NULL,
  PRIMARY KEY (network, height)
);

-- Every output to an issued address.
CREATE TABLE audited_outputs (
  network      text NOT NULL,
  txid         text NOT NULL,
  vout         integer NOT NULL,
  merchant_id  text NOT NULL,
  address_id   text NOT NULL REFERENCES addresses,
  amount       numeric(78,0) NOT NULL,
  height       bigint NOT NULL,
  -- The block that spends it. Null while it is unspent.
  spent_height bigint,
  -- As utxos.txid_key.
  txid_key     bigint NOT NULL GENERATED ALWAYS AS (
    CASE WHEN txid ~ '^[0-9a-f]{16}' THEN ('x' || substr(txid, 1, 16))::bit(64)::bigint ELSE 0 END
  ) STORED,
  PRIMARY KEY (network, txid, vout)
);
CREATE INDEX audited_outputs_unspent ON audited_outputs (network, txid_key) WHERE spent_height IS NULL;
CREATE INDEX audited_outputs_block ON audited_outputs (network, height);
CREATE INDEX audited_outputs_spent ON audited_outputs (network, spent_height) WHERE spent_height IS NOT NULL;
CREATE INDEX audited_outputs_merchant ON audited_outputs (merchant_id, network);

-- A comparison of a merchant's books with a chain that is under way, so that one that dies goes on where it was.
CREATE TABLE chain_audits (
  -- The run and the network for which it is made.
  key          text PRIMARY KEY,
  block_number bigint NOT NULL,
  block_hash   text NOT NULL,
  -- Coin and address after which the next page begins. Null at the beginning.
  coin         text,
  address_id   text,
  examined     bigint NOT NULL DEFAULT 0,
  -- What was found so far: {differences, expected, differenceCount, expectedCount}.
  found        jsonb NOT NULL,
  updated_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX chain_audits_age ON chain_audits (updated_at);
