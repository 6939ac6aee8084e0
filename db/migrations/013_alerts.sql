-- What a person should look at, once each while it lasts; every one was also an `exception.raised` event.

CREATE TABLE alerts (
  id          text PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  -- For example `withdrawal.stuck`.
  kind        text NOT NULL,
  severity    text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  -- Id of the object, or `network:coin`.
  subject     text NOT NULL,
  facts       jsonb NOT NULL,
  raised_at   timestamptz NOT NULL DEFAULT now(),
  cleared_at  timestamptz
);
CREATE UNIQUE INDEX alerts_open ON alerts (kind, subject, merchant_id) WHERE cleared_at IS NULL;

-- What became of everything that paid out, summed as it ends: what a scrape shows must not read every row.
CREATE TABLE withdrawal_totals (
  kind          text NOT NULL,
  network       text NOT NULL,
  coin          text NOT NULL,
  -- The final stage.
  outcome       text NOT NULL,
  count         bigint NOT NULL,
  -- From the request to the end; `buckets` counts those within each bound of `measure-withdrawals.ts`.
  seconds       double precision NOT NULL,
  buckets       bigint[] NOT NULL,
  -- Of those that cost a fee: base units of the network's own coin, as paid and as estimated when asked for.
  fee_paid      numeric(78,0) NOT NULL,
  fee_estimated numeric(78,0) NOT NULL,
  PRIMARY KEY (kind, network, coin, outcome)
);
CREATE INDEX withdrawals_unmeasured ON withdrawals (created_at)
  WHERE measured_at IS NULL AND stage IN ('confirmed', 'rejected', 'expired', 'cancelled', 'failed', 'reverted');
CREATE INDEX withdrawals_unwatched ON withdrawals (created_at) WHERE watched_at IS NULL;
-- What is under way: small, whatever was paid before.
CREATE INDEX withdrawals_under_way ON withdrawals (network, coin, stage, created_at)
  WHERE stage IN ('requested', 'pending_review', 'pending_approval', 'approved', 'building', 'pending_signature', 'signed',
                  'broadcasting', 'confirming');
