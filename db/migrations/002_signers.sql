-- Customers' signers, what they reported, and the addresses derived from it.

CREATE TABLE enrolment_tokens (
  token_hash  bytea PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL,
  used_at     timestamptz,
  signer_id   text
);

CREATE TABLE signers (
  id                  text PRIMARY KEY,
  merchant_id         text NOT NULL REFERENCES merchants,
  name                text NOT NULL,
  version             text NOT NULL,
  identity_public_key bytea NOT NULL UNIQUE CHECK (octet_length(identity_public_key) = 32),
  master_fingerprint  text NOT NULL,
  -- The furthest head of its journal that the platform saw; a signer that is behind it was restored from a backup.
  journal_head        text NOT NULL,
  journal_sequence    bigint NOT NULL DEFAULT 0,
  online              boolean NOT NULL DEFAULT false,
  last_seen_at        timestamptz,
  enrolled_at         timestamptz NOT NULL DEFAULT now(),
  revoked_at          timestamptz
);

-- One extended public key a network and role. next_index is the only source of deposit indexes.
CREATE TABLE key_accounts (
  id          text PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  signer_id   text NOT NULL REFERENCES signers,
  network     text NOT NULL,
  role        text NOT NULL CHECK (role IN ('deposit', 'master', 'hot', 'gas')),
  path        text NOT NULL,
  xpub        text NOT NULL,
  next_index  integer NOT NULL DEFAULT 0 CHECK (next_index >= 0),
  created_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (merchant_id, network, role),
  UNIQUE (network, xpub)
);

CREATE TABLE addresses (
  id              text PRIMARY KEY,
  merchant_id     text NOT NULL REFERENCES merchants,
  network         text NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('deposit', 'change', 'master', 'hot', 'gas')),
  user_reference  text,
  label           text,
  address         text NOT NULL,
  -- The 20 bytes that are paid: HASH160 of the key, or the EVM address.
  payee           bytea NOT NULL CHECK (octet_length(payee) = 20),
  -- The first 8 of them as a signed integer: what a block is matched against (small index, no text comparison).
  match_key       bigint NOT NULL,
  key_account_id  text NOT NULL REFERENCES key_accounts,
  branch          integer NOT NULL,
  index           integer NOT NULL,
  derivation_path text NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (network, address),
  UNIQUE (key_account_id, branch, index)
);
CREATE INDEX addresses_match ON addresses (network, match_key);
CREATE INDEX addresses_user ON addresses (merchant_id, user_reference, network, id DESC);
CREATE INDEX addresses_merchant ON addresses (merchant_id, id DESC);

-- Replay protection of signers' requests, as api_nonces is for merchants'.
CREATE TABLE signer_nonces (
  identity   bytea NOT NULL,
  nonce      text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (identity, nonce)
);
CREATE INDEX signer_nonces_expiry ON signer_nonces (expires_at);
