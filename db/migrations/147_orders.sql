-- Orders of merchants, as they upload them, and what their states ask of payments.

-- Versions of the lifecycle mapping. The highest holds.
CREATE TABLE lifecycle_mappings (
  merchant_id text NOT NULL REFERENCES merchants,
  version     integer NOT NULL CHECK (version > 0),
  -- [{gate, satisfied_by, stuck_after, stuck_ms}], in the order in which an order reaches them.
  gates       jsonb NOT NULL,
  orders      text CHECK (orders = 'complete'),
  created_by  text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (merchant_id, version)
);

CREATE FUNCTION refuse_change_of_mapping() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'versions of a lifecycle mapping never change' USING ERRCODE = 'KT005';
END $$;
CREATE TRIGGER lifecycle_mappings_frozen BEFORE UPDATE OR DELETE ON lifecycle_mappings
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_mapping();

CREATE TABLE order_uploads (
  id          text PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  accepted    bigint NOT NULL,
  rejected    bigint NOT NULL,
  created_by  text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE merchant_orders (
  merchant_id    text NOT NULL REFERENCES merchants,
  order_id       text NOT NULL,
  -- Empty where the payment is found by the id of the order.
  payment_id     text NOT NULL,
  user_reference text,
  network        text NOT NULL,
  coin           text NOT NULL,
  amount         numeric(78,0) NOT NULL CHECK (amount >= 0),
  -- Name of a gate of the mapping.
  state          text NOT NULL,
  at             timestamptz NOT NULL,
  -- The upload that wrote the line last.
  upload_id      text NOT NULL,
  PRIMARY KEY (merchant_id, order_id, payment_id)
);
-- Lines by the payment that they name.
CREATE INDEX merchant_orders_payment ON merchant_orders (merchant_id, payment_id, order_id) WHERE payment_id <> '';

ALTER TABLE reconciliation_differences
  -- {kind, cause, payment_id, user_reference} of the exception that the difference raises. Null: a drift.
  ADD COLUMN about jsonb;
-- Whether exceptions were raised and closed for a check that is done.
ALTER TABLE reconciliation_checks ADD COLUMN raised boolean NOT NULL DEFAULT false;
-- Payments that were seen and are not credited, which may be stuck.
CREATE INDEX payments_paid ON payments (merchant_id, id) WHERE status = 'paid';
