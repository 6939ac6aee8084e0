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

-- What changes the controls themselves: a policy's fields, a whitelist entry. Two approvals, then the cool-down for what loosens.
CREATE TABLE control_changes (
  id                  text PRIMARY KEY,
  merchant_id         text NOT NULL REFERENCES merchants,
  kind                text NOT NULL CHECK (kind IN ('policy', 'whitelist')),
  state               text NOT NULL
                      CHECK (state IN ('pending_approval', 'cooling_down', 'effective', 'rejected', 'expired', 'revoked')),
  intent              jsonb NOT NULL,
  intent_hash         text NOT NULL,
  -- Person (or API key without one) that asked.
  initiator           text NOT NULL,
  cool_down_ms        bigint NOT NULL,
  -- When it holds entirely; null until it is approved.
  effective_at        timestamptz,
  history             jsonb NOT NULL DEFAULT '[]',
  expires_at          timestamptz NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT now(),
  updated_at          timestamptz NOT NULL DEFAULT now(),
  workflow_started_at timestamptz
);
CREATE INDEX control_changes_merchant ON control_changes (merchant_id, kind, id DESC);
CREATE INDEX control_changes_unstarted ON control_changes (created_at) WHERE workflow_started_at IS NULL;

-- Addresses to which withdrawals may go without manual review; the state is the change's of the same id.
CREATE TABLE whitelist_entries (
  id            text PRIMARY KEY REFERENCES control_changes,
  merchant_id   text NOT NULL REFERENCES merchants,
  network       text NOT NULL,
  -- Canonical: compared exactly.
  address       text NOT NULL,
  label         text NOT NULL,
  -- Whole coins of whichever coin is sent there.
  daily_limit   text,
  monthly_limit text,
  -- When it ended: rejected, expired or removed. One living entry an address.
  closed_at     timestamptz
);
CREATE UNIQUE INDEX whitelist_entries_living ON whitelist_entries (merchant_id, network, address) WHERE closed_at IS NULL;

-- Destinations that are always held for review, as the operator's file has them (`domain/sanction-key.ts`).
CREATE TABLE sanctioned_addresses (address text PRIMARY KEY);
CREATE INDEX withdrawals_destination ON withdrawals (merchant_id, network, to_address);
