-- Transfers between users of a merchant, or a user and the merchant's own account (null): on the books alone.
CREATE TABLE transfers (
  id                  text PRIMARY KEY,
  merchant_id         text NOT NULL REFERENCES merchants,
  external_id         text,
  from_user_reference text,
  to_user_reference   text,
  network             text NOT NULL,
  coin                text NOT NULL,
  amount              numeric(78,0) NOT NULL CHECK (amount > 0),
  -- As it was sent, in whole coins.
  amount_text         text NOT NULL,
  reason              text NOT NULL,
  journal_id          bigint REFERENCES ledger_journals,
  created_at          timestamptz NOT NULL,
  UNIQUE (merchant_id, external_id),
  CHECK (from_user_reference IS DISTINCT FROM to_user_reference)
);
CREATE INDEX transfers_merchant ON transfers (merchant_id, id DESC);
-- Lists of a rail, and the sums of limits, which read ids because ids begin with the time.
CREATE INDEX transfers_rail ON transfers (merchant_id, network, coin, id DESC) INCLUDE (amount, from_user_reference);
CREATE INDEX transfers_sender ON transfers (merchant_id, from_user_reference, id DESC) WHERE from_user_reference IS NOT NULL;
CREATE INDEX transfers_recipient ON transfers (merchant_id, to_user_reference, id DESC) WHERE to_user_reference IS NOT NULL;
