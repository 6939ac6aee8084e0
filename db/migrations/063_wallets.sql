-- The merchants' own wallets, newest first: what `GET /wallets` pages through.
CREATE INDEX addresses_wallets ON addresses (merchant_id, id DESC)
  WHERE user_reference IS NULL AND kind IN ('master', 'hot', 'gas');
