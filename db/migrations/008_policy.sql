-- Policies of merchants, and what limits and risk look back at.

-- Every version that was ever in force; the highest holds. A merchant without a row has the default.
CREATE TABLE policies (
  merchant_id  text NOT NULL REFERENCES merchants,
  version      integer NOT NULL CHECK (version > 0),
  policy       jsonb NOT NULL,
  -- The change that made it; null when an operator set it up.
  change_id    text,
  effective_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (merchant_id, version)
);

-- Rolling sums and habits: the merchant's of a coin, and one user's.
CREATE INDEX withdrawals_window ON withdrawals (merchant_id, network, coin, created_at) INCLUDE (amount, stage);
CREATE INDEX withdrawals_habits ON withdrawals (merchant_id, network, coin, user_reference, created_at);
