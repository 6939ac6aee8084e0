-- Movements between a merchant's own wallets; each of them is a row of withdrawals of its kind.

-- Deposit addresses on EVM chains that may have something to sweep: one row an address and coin.
CREATE TABLE consolidations (
  merchant_id text NOT NULL REFERENCES merchants,
  network     text NOT NULL,
  coin        text NOT NULL,
  address_id  text NOT NULL REFERENCES addresses,
  -- When to look at it; null while there is nothing to do. A workflow that is at it has it some time ahead.
  due_at      timestamptz,
  -- How often there was something new: a look that began before the last one must not say that there is nothing.
  version     integer NOT NULL DEFAULT 1,
  -- In a row; each doubles the wait.
  failures    integer NOT NULL DEFAULT 0,
  -- Why it was left as it is: {code, message, at}.
  note        jsonb,
  PRIMARY KEY (address_id, coin)
);
CREATE INDEX consolidations_due ON consolidations (due_at) WHERE due_at IS NOT NULL;

-- One row while something is too low, so that it is told once a crossing.
CREATE TABLE wallet_alerts (
  merchant_id text NOT NULL REFERENCES merchants,
  -- Address of the wallet.
  address_id  text NOT NULL REFERENCES addresses,
  coin        text NOT NULL,
  kind        text NOT NULL CHECK (kind = 'low_balance'),
  raised_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (address_id, coin, kind)
);

-- What is under way is not started twice, whatever races: a sweep an address (the gas of a token's sweep would be missing from
-- that of the native coin, which takes all), gas for an address, one gathering of outputs a merchant and network, one movement
-- between two wallets. One that a reorg brought back to life does not count: it
-- must come back whatever was started since.
CREATE UNIQUE INDEX withdrawals_one_sweep ON withdrawals (from_address_id)
  WHERE kind = 'consolidation' AND from_address_id IS NOT NULL
    AND stage NOT IN ('confirmed', 'rejected', 'expired', 'cancelled', 'failed', 'reverted') AND reopened = 0;
CREATE UNIQUE INDEX withdrawals_one_gathering ON withdrawals (merchant_id, network)
  WHERE kind = 'consolidation' AND from_address_id IS NULL
    AND stage NOT IN ('confirmed', 'rejected', 'expired', 'cancelled', 'failed', 'reverted') AND reopened = 0;
CREATE UNIQUE INDEX withdrawals_one_funding ON withdrawals (network, to_address)
  WHERE kind = 'gas_funding' AND stage NOT IN ('confirmed', 'rejected', 'expired', 'cancelled', 'failed', 'reverted') AND reopened = 0;
CREATE UNIQUE INDEX withdrawals_one_rebalance ON withdrawals (from_address_id, to_address, coin)
  WHERE kind = 'rebalance' AND stage NOT IN ('confirmed', 'rejected', 'expired', 'cancelled', 'failed', 'reverted') AND reopened = 0;
CREATE INDEX withdrawals_movements ON withdrawals (merchant_id, id DESC)
  WHERE kind IN ('consolidation', 'gas_funding', 'rebalance');
CREATE INDEX withdrawals_gas ON withdrawals (merchant_id, network, created_at) WHERE kind = 'gas_funding';
-- What is under way, and what was lately: history grows, these do not.
CREATE INDEX withdrawals_open_movements ON withdrawals (network, kind)
  WHERE kind IN ('consolidation', 'gas_funding', 'rebalance')
    AND stage NOT IN ('confirmed', 'rejected', 'expired', 'cancelled', 'failed', 'reverted');
CREATE INDEX withdrawals_rebalances ON withdrawals (merchant_id, coin, updated_at DESC) WHERE kind = 'rebalance';
