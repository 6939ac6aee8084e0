-- Sessions of the cashier: a merchant sends a user to a page where they deposit or withdraw.
CREATE TABLE cashier_sessions (
  id               text PRIMARY KEY,
  merchant_id      text NOT NULL REFERENCES merchants,
  user_reference   text NOT NULL,
  action           text NOT NULL CHECK (action IN ('deposit', 'withdrawal')),
  -- Coins that the page offers, [{network, coin}]. Null: every coin that the merchant has enabled.
  coins            jsonb,
  -- Language of the page. Null: that of the browser.
  language         text,
  return_url       text,
  -- Key that requested the session. The session ends when the key is revoked.
  api_key_id       text NOT NULL REFERENCES api_keys,
  -- Id of the person or API key behind the session, who may not approve its withdrawals.
  initiator        text NOT NULL,
  -- SHA-256 of the one-time token in the link.
  token_hash       bytea NOT NULL UNIQUE,
  token_expires_at timestamptz NOT NULL,
  used_at          timestamptz,
  -- SHA-256 of the secret in the cookie, once the token was used.
  secret_hash      bytea,
  expires_at       timestamptz,
  created_at       timestamptz NOT NULL,
  CHECK ((used_at IS NULL) = (secret_hash IS NULL) AND (used_at IS NULL) = (expires_at IS NULL))
);

-- What a form of the cashier made. A form that is sent twice makes it once.
CREATE TABLE cashier_forms (
  session_id text NOT NULL REFERENCES cashier_sessions,
  -- Random part of the form's token.
  form       text NOT NULL,
  -- Id of the withdrawal or address.
  made       text NOT NULL,
  PRIMARY KEY (session_id, form)
);
