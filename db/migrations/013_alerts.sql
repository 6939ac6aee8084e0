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
