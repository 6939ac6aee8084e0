-- An API key keeps its id when its public id and secret are replaced. The replaced ones stay valid for a while.
ALTER TABLE api_keys
  -- Sent as X-Api-Key.
  ADD COLUMN public_id text,
  -- Written every few seconds, so it may be that old.
  ADD COLUMN last_used_at timestamptz;
UPDATE api_keys SET public_id = id;
ALTER TABLE api_keys ALTER COLUMN public_id SET NOT NULL;
CREATE UNIQUE INDEX api_keys_public_id ON api_keys (public_id);
CREATE INDEX api_keys_merchant ON api_keys (merchant_id, id);

CREATE TABLE previous_api_keys (
  public_id     text PRIMARY KEY,
  api_key_id    text NOT NULL REFERENCES api_keys,
  secret_sealed bytea NOT NULL,
  expires_at    timestamptz NOT NULL
);
CREATE INDEX previous_api_keys_key ON previous_api_keys (api_key_id);
CREATE INDEX previous_api_keys_expiry ON previous_api_keys (expires_at);

-- Processes cache keys by their public id.
CREATE OR REPLACE FUNCTION notify_api_key_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('api_key_changed', OLD.public_id);
  PERFORM pg_notify('api_key_changed', public_id) FROM previous_api_keys WHERE api_key_id = OLD.id;
  RETURN NULL;
END $$;
DROP TRIGGER api_keys_changed ON api_keys;
CREATE TRIGGER api_keys_changed AFTER DELETE OR UPDATE OF
  public_id, secret_sealed, person_id, scopes, ip_allowlist, rate_limit_per_minute, revoked_at ON api_keys
  FOR EACH ROW EXECUTE FUNCTION notify_api_key_changed();
