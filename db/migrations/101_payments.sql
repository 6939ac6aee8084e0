-- Payments: what a merchant asks a payer for. What arrived for one is in its deposits.
CREATE TABLE payments (
  id                 text PRIMARY KEY,
  merchant_id        text NOT NULL REFERENCES merchants,
  user_reference     text NOT NULL,
  network            text NOT NULL,
  coin               text NOT NULL,
  -- Decimal places of the coin, so that amounts are shown without the configuration.
  decimals           integer NOT NULL,
  address_id         text NOT NULL REFERENCES addresses,
  -- Base units. Null: open, so that any amount is accepted.
  amount             numeric(78,0) CHECK (amount > 0),
  -- Base units by which the amount may be missed.
  allowance          numeric(78,0) NOT NULL DEFAULT 0 CHECK (allowance >= 0),
  -- As the merchant sent it: {percent, absolute}, null where there is none.
  tolerance          jsonb,
  -- As the merchant sent it: {currency, amount, rate, source, at}, null where there is none.
  quote              jsonb,
  order_id           text,
  success_url        text,
  metadata           jsonb NOT NULL DEFAULT '{}',
  payment_uri        text NOT NULL,
  checkout_token     text NOT NULL UNIQUE,
  checkout_url       text NOT NULL,
  status             text NOT NULL CHECK (status IN ('pending', 'paid', 'confirmed', 'expired', 'cancelled')),
  flags              text[] NOT NULL DEFAULT '{}',
  amount_detected    numeric(78,0) NOT NULL DEFAULT 0,
  amount_confirmed   numeric(78,0) NOT NULL DEFAULT 0,
  -- Whether a reorg took it back after it had been confirmed.
  reorged            boolean NOT NULL DEFAULT false,
  history            jsonb NOT NULL DEFAULT '[]',
  -- Grows with each change, so that a signal about an older change is not taken for one about the newest.
  version            integer NOT NULL DEFAULT 0,
  attempt_of         text UNIQUE REFERENCES payments,
  reissued_as        text UNIQUE REFERENCES payments,
  -- Height of the chain's head when the payment was created. Blocks up to it are older than the payment.
  created_height     bigint NOT NULL DEFAULT 0,
  created_at         timestamptz NOT NULL,
  expires_at         timestamptz NOT NULL,
  updated_at         timestamptz NOT NULL,
  paid_at            timestamptz,
  confirmed_at       timestamptz,
  -- When it expired or was cancelled.
  ended_at           timestamptz,
  -- Whether its workflow has to be started, or signalled about a change.
  wake_due           boolean NOT NULL DEFAULT true,
  CHECK ((ended_at IS NOT NULL) = (status IN ('expired', 'cancelled')))
);
-- An address of a payment with an amount belongs to it alone.
CREATE UNIQUE INDEX payments_address ON payments (address_id) WHERE amount IS NOT NULL;
CREATE INDEX payments_merchant ON payments (merchant_id, id DESC);
CREATE INDEX payments_user ON payments (merchant_id, user_reference, id DESC);
CREATE INDEX payments_order ON payments (merchant_id, order_id, id DESC) WHERE order_id IS NOT NULL;
CREATE INDEX payments_open ON payments (merchant_id, user_reference, network, coin) WHERE amount IS NULL;
CREATE INDEX payments_wake ON payments (network, id) WHERE wake_due;
CREATE INDEX payments_expiry ON payments (expires_at) WHERE status = 'pending';

CREATE INDEX deposits_payment ON deposits (payment_id) WHERE payment_id IS NOT NULL;

-- Whether the address was issued for a payment with an amount. It is not the one that the user is given.
ALTER TABLE addresses ADD COLUMN for_payment boolean NOT NULL DEFAULT false;
