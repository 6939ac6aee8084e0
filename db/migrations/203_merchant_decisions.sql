-- What the operator decided about a merchant, with its reason and evidence.
CREATE TABLE merchant_decisions (
  id          text PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  kind        text NOT NULL CHECK (kind IN ('suspended', 'resumed', 'rail_enabled', 'rail_disabled')),
  network     text,
  coin        text,
  reason      text NOT NULL,
  -- What a person gave for it. JSON.
  evidence    jsonb,
  actor       text NOT NULL,
  decided_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX merchant_decisions_merchant ON merchant_decisions (merchant_id, id);

-- A suspension pauses settlement as well, until the merchant is resumed.
ALTER TABLE settlement_pauses DROP CONSTRAINT settlement_pauses_placed_by_check;
ALTER TABLE settlement_pauses ADD CONSTRAINT settlement_pauses_placed_by_check
  CHECK (placed_by IN ('merchant', 'operator', 'suspension'));
ALTER TABLE settlement_pauses DROP CONSTRAINT settlement_pauses_check;
ALTER TABLE settlement_pauses ADD CONSTRAINT settlement_pauses_check
  CHECK (placed_by = 'operator' OR merchant_id IS NOT NULL);
