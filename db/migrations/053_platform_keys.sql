-- The seed of the key with which the platform signs what it sends to signers, sealed under the master key. Signers pin that key, so it
-- outlives the master key from which it was once derived.
CREATE TABLE platform_keys (
  id          text PRIMARY KEY CHECK (id = 'platform'),
  seed_sealed bytea NOT NULL,
  -- When every secret that was sealed before secrets were bound to rows was bound; from then on no unbound one opens.
  secrets_bound_at timestamptz,
  created_at  timestamptz NOT NULL DEFAULT now()
);
