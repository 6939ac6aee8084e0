-- Withdrawals, approvals, the transactions that pay them, and the exchange with the customer's signer.

-- Everything that pays out of our wallets is a row here, so that building, signing, sending and settling exist once.
CREATE TABLE withdrawals (
  id                     text PRIMARY KEY,
  -- 'withdrawal' was asked for; 'batch_part' is one transaction of a batch; the others move money between our own wallets.
  kind                   text NOT NULL DEFAULT 'withdrawal'
                         CHECK (kind IN ('withdrawal', 'batch_part', 'consolidation', 'gas_funding', 'rebalance', 'nonce_fill')),
  -- The batch of a part.
  batch_id               text,
  merchant_id            text NOT NULL REFERENCES merchants,
  external_id            text,
  user_reference         text,
  network                text NOT NULL,
  coin                   text NOT NULL,
  -- 0 of a 'nonce_fill', which pays nobody.
  amount                 numeric(78,0) NOT NULL CHECK (amount > 0 OR kind = 'nonce_fill' AND amount = 0),
  -- As it was sent ("100.50"), for answers and events; null: canonical.
  amount_text            text,
  to_address             text NOT NULL,
  -- [{index, address, amount}], amounts as decimal text: what a part of a batch pays, with its indices in the batch's intent.
  -- Null: all of `amount` to `to_address`.
  outputs                jsonb,
  -- The wallet that was asked for, or null: then the platform chooses.
  from_address_id        text REFERENCES addresses,
  -- What really pays: the wallet (EVM), the first input's address (UTXO).
  from_address           text,
  fee_payer              text NOT NULL DEFAULT 'sender' CHECK (fee_payer IN ('sender', 'recipient')),
  priority               text NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
  fee_coin               text NOT NULL,
  -- Base units of fee_coin: estimated at creation, the most it may be (held), what it was.
  fee_estimate           numeric(78,0) NOT NULL,
  fee_limit              numeric(78,0) NOT NULL,
  fee                    numeric(78,0),
  stage                  text NOT NULL,
  failure_code           text,
  failure_message        text,
  -- Why nothing moves at the moment: {code, message, since}; null while it does.
  waiting                jsonb,
  -- The speed-up that was asked for and is not at the signer yet: {priority, max_fee, requested_by, requested_at}; null otherwise.
  speed_up               jsonb,
  -- Who decided that a cancelling transaction shall take the payment's place: {requested_by, requested_at, reason}.
  cancellation           jsonb,
  -- What was approved; a part of a batch has none of its own, only the batch's hash.
  intent                 jsonb,
  intent_hash            text NOT NULL,
  -- Person (or API key without one) that asked.
  initiator              text NOT NULL,
  -- {count, signers: [{id, role}], roles}: what the policy asked for when it was made.
  approval_requirement   jsonb NOT NULL DEFAULT '{"count": 2, "signers": [], "roles": []}',
  -- The assessment when it was made, whether a person must look at it, and what that person decided.
  risk                   jsonb,
  review_required        boolean NOT NULL DEFAULT false,
  review                 jsonb,
  -- Where it was asked for, ISO 3166-1 alpha-2; null when nobody knows.
  origin_country         text,
  -- The active whitelist entry of the destination, where there was one.
  whitelist_entry_id     text,
  metadata               jsonb NOT NULL DEFAULT '{}',
  required_confirmations integer NOT NULL,
  confirmations          integer NOT NULL DEFAULT 0,
  transaction_hash       text,
  block_number           bigint,
  history                jsonb NOT NULL DEFAULT '[]',
  estimated_confirmation_at timestamptz NOT NULL,
  expires_at             timestamptz NOT NULL,
  created_at             timestamptz NOT NULL DEFAULT now(),
  updated_at             timestamptz NOT NULL DEFAULT now(),
  confirmed_at           timestamptz,
  -- The one that failed and that this one asks for again; a withdrawal is asked for again once.
  retry_of               text UNIQUE REFERENCES withdrawals,
  -- {reason, by, at}: a person looks into it, and nothing is built or handed to a signer meanwhile.
  investigation          jsonb,
  -- {state: 'pending'}, then {state: 'approved' | 'rejected' | 'review', reason, reference, at}; null: nobody was to be asked.
  screening              jsonb,
  -- How often the chain took back its end: part of the keys of its journals.
  reopened               integer NOT NULL DEFAULT 0,
  -- When the sweeper has looked at it: once it was asked for (large, unusual), once it ended (totals).
  watched_at             timestamptz,
  measured_at            timestamptz,
  workflow_started_at    timestamptz,
  UNIQUE (merchant_id, external_id),
  CHECK ((kind = 'batch_part') = (batch_id IS NOT NULL)),
  CHECK (kind = 'batch_part' OR intent IS NOT NULL)
);
CREATE INDEX withdrawals_merchant ON withdrawals (merchant_id, id DESC) WHERE kind = 'withdrawal';
CREATE INDEX withdrawals_batch ON withdrawals (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX withdrawals_unstarted ON withdrawals (created_at) WHERE workflow_started_at IS NULL;
CREATE INDEX withdrawals_stage ON withdrawals (stage, updated_at);

CREATE TABLE approvals (
  id           text PRIMARY KEY,
  merchant_id  text NOT NULL,
  subject_type text NOT NULL,
  subject_id   text NOT NULL,
  person_id    text NOT NULL REFERENCES persons,
  approver_id  text NOT NULL REFERENCES approvers,
  decision     text NOT NULL CHECK (decision IN ('approve', 'reject')),
  intent_hash  text NOT NULL,
  -- The exact text that was signed.
  signed_at    text NOT NULL,
  signature    text NOT NULL,
  reason       text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  signalled_at timestamptz,
  UNIQUE (subject_id, person_id)
);
CREATE INDEX approvals_unsignalled ON approvals (created_at) WHERE signalled_at IS NULL;

-- An attempt to pay: one transaction of ours on a chain. All attempts of one subject lie in one conflict set.
CREATE TABLE transactions (
  id                 text PRIMARY KEY,
  merchant_id        text NOT NULL,
  subject_type       text NOT NULL,
  subject_id         text NOT NULL,
  number             integer NOT NULL,
  network            text NOT NULL,
  -- The paying address (EVM) or null where many addresses pay (UTXO).
  from_address_id    text REFERENCES addresses,
  nonce              bigint,
  -- 'cancel' pays nobody: it takes the place of the payment.
  purpose            text NOT NULL DEFAULT 'pay' CHECK (purpose IN ('pay', 'cancel')),
  -- Why there is this attempt besides the first.
  cause              text NOT NULL DEFAULT 'first' CHECK (cause IN ('first', 'speed_up', 'lagging', 'cancel')),
  -- At whose prices it was built.
  priority           text NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
  -- Virtual bytes (UTXO).
  vsize              integer,
  state              text NOT NULL CHECK (state IN ('built', 'signed', 'broadcast', 'mined', 'final', 'replaced', 'abandoned')),
  payload            jsonb NOT NULL,
  -- Base units: what leaves in `coin`, and the most that the fee can be (native coin).
  coin               text NOT NULL,
  amount             numeric(78,0) NOT NULL,
  max_fee            numeric(78,0) NOT NULL,
  -- UTXO: [{address_id, txid, vout, amount}] and {address_id, amount} of the change; amounts as decimal text.
  inputs             jsonb NOT NULL DEFAULT '[]',
  change             jsonb,
  -- EVM: height at which somebody else's use of the nonce was first seen; UTXO: of an input.
  conflict_height    bigint,
  -- Raw bytes, stored before the first broadcast.
  signed_transaction text,
  txid               text,
  fee                numeric(78,0),
  -- EVM receipt status; null until mined.
  succeeded          boolean,
  block_number       bigint,
  block_hash         text,
  target_height      bigint,
  signalled_at       timestamptz,
  -- When its block left the chain; null again once it is mined anew.
  reorged_at         timestamptz,
  broadcast_at       timestamptz,
  created_at         timestamptz NOT NULL DEFAULT now(),
  UNIQUE (subject_id, number),
  UNIQUE (network, txid)
);
CREATE INDEX transactions_payer ON transactions (from_address_id) WHERE state IN ('built', 'signed', 'broadcast', 'mined');
CREATE INDEX transactions_open ON transactions (network, state) WHERE state IN ('signed', 'broadcast', 'mined');

-- One open reservation an outpoint, whatever races.
CREATE TABLE utxo_reservations (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  network        text NOT NULL,
  txid           text NOT NULL,
  vout           integer NOT NULL,
  subject_id     text NOT NULL,
  transaction_id text NOT NULL,
  reserved_at    timestamptz NOT NULL DEFAULT now(),
  released_at    timestamptz
);
CREATE UNIQUE INDEX utxo_reservations_open ON utxo_reservations (network, txid, vout) WHERE released_at IS NULL;
CREATE INDEX utxo_reservations_subject ON utxo_reservations (subject_id) WHERE released_at IS NULL;

-- A nonce is a row: no counter moves without one. Lowest free first.
CREATE TABLE nonces (
  network    text NOT NULL,
  address    text NOT NULL,
  nonce      bigint NOT NULL,
  -- 'foreign': the chain shows a use that is not ours. 'gap': given up, and the signer may have signed something with it, so no
  -- other payment can have it; only a transaction that pays nobody fills it.
  state      text NOT NULL CHECK (state IN ('allocated', 'signed', 'used', 'free', 'foreign', 'gap')),
  subject_id text,
  -- Who had it before it was given back, and when that was.
  last_subject_id text,
  freed_at   timestamptz,
  PRIMARY KEY (network, address, nonce)
);
CREATE UNIQUE INDEX nonces_subject ON nonces (network, address, subject_id) WHERE state IN ('allocated', 'signed');
CREATE INDEX nonces_gaps ON nonces (network, address, nonce) WHERE state IN ('free', 'gap');
-- The lock under which nonces of an account are allocated, and the first nonce that is ours to give.
CREATE TABLE nonce_accounts (
  network    text NOT NULL,
  address    text NOT NULL,
  base_nonce bigint NOT NULL,
  PRIMARY KEY (network, address)
);

CREATE TABLE signing_requests (
  id             text PRIMARY KEY,
  merchant_id    text NOT NULL,
  signer_id      text NOT NULL REFERENCES signers,
  transaction_id text NOT NULL UNIQUE REFERENCES transactions,
  subject_id     text NOT NULL,
  state          text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'leased', 'signed', 'refused', 'withdrawn')),
  lease_until    timestamptz,
  answer         jsonb,
  created_at     timestamptz NOT NULL DEFAULT now(),
  answered_at    timestamptz
);
CREATE INDEX signing_requests_subject ON signing_requests (subject_id);
CREATE INDEX signing_requests_open ON signing_requests (signer_id, created_at) WHERE state IN ('queued', 'leased');
