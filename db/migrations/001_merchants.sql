-- Merchants, the people and keys that act for them, idempotency and replay protection of the API.

CREATE TABLE merchants (
  id            text PRIMARY KEY,
  name          text NOT NULL,
  status        text NOT NULL DEFAULT 'active' CHECK (status IN ('intake', 'active', 'suspended')),
  asset_pool_id uuid NOT NULL DEFAULT gen_random_uuid(),
  created_at    timestamptz NOT NULL DEFAULT now()
);

-- The rails (network and coin) that a merchant may use; anything else is refused at creation.
CREATE TABLE merchant_rails (
  merchant_id text NOT NULL REFERENCES merchants,
  network     text NOT NULL,
  coin        text NOT NULL,
  PRIMARY KEY (merchant_id, network, coin)
);

CREATE TABLE persons (
  id          text PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  name        text NOT NULL,
  email       text,
  created_at  timestamptz NOT NULL DEFAULT now()
);

-- A key of a person with which approvals are signed. Two keys of one person count once.
CREATE TABLE approvers (
  id                 text PRIMARY KEY,
  merchant_id        text NOT NULL REFERENCES merchants,
  person_id          text NOT NULL REFERENCES persons,
  ed25519_public_key bytea NOT NULL CHECK (octet_length(ed25519_public_key) = 32),
  role               text NOT NULL DEFAULT 'approver',
  created_at         timestamptz NOT NULL DEFAULT now(),
  revoked_at         timestamptz
);

CREATE TABLE api_keys (
  id                    text PRIMARY KEY,
  merchant_id           text NOT NULL REFERENCES merchants,
  person_id             text REFERENCES persons,
  name                  text NOT NULL,
  -- AES-256-GCM under the platform's master key: an HMAC needs the secret itself.
  secret_sealed         bytea NOT NULL,
  scopes                text[] NOT NULL,
  ip_allowlist          text[] NOT NULL,
  rate_limit_per_minute integer NOT NULL DEFAULT 6000,
  created_at            timestamptz NOT NULL DEFAULT now(),
  revoked_at            timestamptz
);

-- API processes cache keys for a few seconds; a change reaches them at once.
CREATE FUNCTION notify_api_key_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('api_key_changed', OLD.id);
  RETURN NULL;
END $$;
CREATE TRIGGER api_keys_changed AFTER UPDATE OR DELETE ON api_keys
  FOR EACH ROW EXECUTE FUNCTION notify_api_key_changed();

CREATE TABLE api_nonces (
  api_key_id text NOT NULL,
  nonce      text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (api_key_id, nonce)
);
CREATE INDEX api_nonces_expiry ON api_nonces (expires_at);

CREATE TABLE idempotency_keys (
  merchant_id  text NOT NULL,
  key          text NOT NULL,
  -- SHA-256 over method, path and raw body.
  request_hash bytea NOT NULL,
  -- Who is at it, and until when it may be: afterwards it is taken for dead and the same request may take over.
  owner        uuid NOT NULL,
  locked_until timestamptz NOT NULL,
  -- The first answer, once there is one.
  status_code  integer,
  -- Sealed under the master key: an answer may show a new secret.
  response     bytea,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (merchant_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
