-- What was seen on the chains: cursors, block headers, deposits, our unspent outputs.

CREATE TABLE chain_cursors (
  network      text PRIMARY KEY,
  height       bigint NOT NULL,
  block_hash   text NOT NULL,
  -- The node's head when last asked, for the lag.
  head_height  bigint NOT NULL,
  health       text NOT NULL DEFAULT 'ok' CHECK (health IN ('ok', 'degraded')),
  health_note  text,
  updated_at   timestamptz NOT NULL DEFAULT now()
);

-- What transactions cost now, by priority, so that the API can estimate without asking a node. UTXO: sat/vB; EVM: wei.
CREATE TABLE network_fees (
  network    text PRIMARY KEY,
  fees       jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- The canonical chain as scanned; a reorg deletes and rewrites its upper part.
CREATE TABLE chain_blocks (
  network     text NOT NULL,
  height      bigint NOT NULL,
  hash        text NOT NULL,
  parent_hash text NOT NULL,
  time        timestamptz NOT NULL,
  PRIMARY KEY (network, height)
);

CREATE TABLE deposits (
  id                     text PRIMARY KEY,
  merchant_id            text NOT NULL REFERENCES merchants,
  network                text NOT NULL,
  coin                   text NOT NULL,
  address_id             text NOT NULL REFERENCES addresses,
  user_reference         text,
  txid                   text NOT NULL,
  -- Output index (UTXO); ordinal of the transfer in its transaction (EVM): 0 the transaction's own value, 1 + position in
  -- the receipt's logs for tokens, 1,000,000 + position in the trace for internal transfers. Stable across reorgs.
  output_index           integer NOT NULL,
  amount                 numeric(78,0) NOT NULL CHECK (amount > 0),
  status                 text NOT NULL CHECK (status IN ('detected', 'unconfirmed', 'confirmed', 'screening_requested',
                                                         'success', 'held', 'reverted', 'replaced')),
  -- Counts how often it was mined anew after a reorg; part of the journals' idempotency keys.
  epoch                  integer NOT NULL DEFAULT 0,
  block_number           bigint,
  block_hash             text,
  block_time             timestamptz,
  required_confirmations integer NOT NULL,
  -- Height at which the threshold is met: block_number + required_confirmations - 1.
  target_height          bigint,
  signalled_at           timestamptz,
  fee                    numeric(78,0),
  sources                jsonb NOT NULL DEFAULT '[]',
  destinations           jsonb NOT NULL DEFAULT '[]',
  replaced_by            text,
  -- Since when a detected transaction is in no mempool, without a conflict that explains it; it may come back.
  absent_since           timestamptz,
  payment_id             text,
  history                jsonb NOT NULL DEFAULT '[]',
  detected_at            timestamptz NOT NULL DEFAULT now(),
  updated_at             timestamptz NOT NULL DEFAULT now(),
  confirmed_at           timestamptz,
  credited_at            timestamptz,
  workflow_started_at    timestamptz,
  UNIQUE (network, txid, output_index)
);
CREATE INDEX deposits_merchant ON deposits (merchant_id, id DESC);
CREATE INDEX deposits_user ON deposits (merchant_id, user_reference, id DESC);
CREATE INDEX deposits_address ON deposits (address_id, id DESC);
CREATE INDEX deposits_pending ON deposits (merchant_id, network, coin) WHERE status IN ('detected', 'unconfirmed');
CREATE INDEX deposits_due ON deposits (network, target_height) WHERE status = 'unconfirmed';
CREATE INDEX deposits_unsignalled ON deposits (network, target_height)
  WHERE signalled_at IS NULL AND status IN ('unconfirmed', 'reverted', 'replaced');
CREATE INDEX deposits_reserved ON deposits (address_id) WHERE status IN ('confirmed', 'screening_requested', 'held');
CREATE INDEX deposits_block ON deposits (network, block_number);
CREATE INDEX deposits_unstarted ON deposits (detected_at) WHERE workflow_started_at IS NULL;
CREATE INDEX deposits_open ON deposits (network, status) WHERE status IN ('detected', 'unconfirmed', 'confirmed', 'screening_requested');

-- The outpoints that unconfirmed deposits' transactions spend: a conflict there means replaced.
CREATE TABLE deposit_inputs (
  network   text NOT NULL,
  prev_txid text NOT NULL,
  prev_vout integer NOT NULL,
  txid      text NOT NULL,
  -- The first 8 bytes of prev_txid as a signed integer: a block's spends are looked up by it, and then compared in full.
  prev_key  bigint NOT NULL GENERATED ALWAYS AS (
    CASE WHEN prev_txid ~ '^(0x)?[0-9a-f]{16}' THEN ('x' || substr(regexp_replace(prev_txid, '^0x', ''), 1, 16))::bit(64)::bigint ELSE 0 END
  ) STORED,
  PRIMARY KEY (network, prev_txid, prev_vout, txid)
);
CREATE INDEX deposit_inputs_prev ON deposit_inputs (network, prev_key);
CREATE INDEX deposit_inputs_tx ON deposit_inputs (network, txid);

-- Every output to an address of ours: deposits, change and treasury alike.
CREATE TABLE utxos (
  network        text NOT NULL,
  txid           text NOT NULL,
  vout           integer NOT NULL,
  merchant_id    text NOT NULL,
  address_id     text NOT NULL REFERENCES addresses,
  amount         numeric(78,0) NOT NULL,
  coinbase       boolean NOT NULL DEFAULT false,
  -- Null while only in the mempool.
  block_number   bigint,
  spent_by       text,
  spent_at_block bigint,
  -- As deposit_inputs.prev_key.
  txid_key       bigint NOT NULL GENERATED ALWAYS AS (
    CASE WHEN txid ~ '^[0-9a-f]{16}' THEN ('x' || substr(txid, 1, 16))::bit(64)::bigint ELSE 0 END
  ) STORED,
  PRIMARY KEY (network, txid, vout)
);
CREATE INDEX utxos_outpoint ON utxos (network, txid_key) WHERE spent_at_block IS NULL;
CREATE INDEX utxos_spendable ON utxos (merchant_id, network, amount) WHERE spent_by IS NULL AND block_number IS NOT NULL;
CREATE INDEX utxos_block ON utxos (network, block_number);
CREATE INDEX utxos_spent_block ON utxos (network, spent_at_block);
