-- Recurring withdrawals. The row is the outbox of a Temporal Schedule; each firing is a row too, whose key is its nominal time.

CREATE TABLE withdrawal_schedules (
  id             text PRIMARY KEY,
  merchant_id    text NOT NULL REFERENCES merchants,
  label          text NOT NULL,
  -- One of the two: five cron fields in UTC, or milliseconds counted from start_at.
  cron           text,
  interval_ms    bigint CHECK (interval_ms >= 60000),
  start_at       timestamptz NOT NULL,
  -- The last moment at which it may fire; null: for ever.
  end_at         timestamptz,
  -- A firing that is later than this (Temporal was down) is left out.
  catch_up_ms    bigint NOT NULL CHECK (catch_up_ms >= 60000),
  paused         boolean NOT NULL DEFAULT false,
  deleted_at     timestamptz,
  -- What each firing asks for; `withdrawal-schedule-row.ts` has its shape.
  template       jsonb NOT NULL,
  -- Person (or API key without one) that made it: the initiator of every withdrawal of it.
  initiator      text NOT NULL,
  -- Grows with every change; `synced_version` is the one that Temporal's Schedule shows.
  version        integer NOT NULL DEFAULT 1,
  synced_version integer NOT NULL DEFAULT 0,
  -- When it was last compared with Temporal's Schedule, and the firings that Schedule says it left out since it was made.
  checked_at     timestamptz,
  missed         bigint NOT NULL DEFAULT 0,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now(),
  CHECK ((cron IS NULL) <> (interval_ms IS NULL))
);
CREATE INDEX withdrawal_schedules_merchant ON withdrawal_schedules (merchant_id, id DESC);
CREATE INDEX withdrawal_schedules_unsynced ON withdrawal_schedules (updated_at) WHERE synced_version < version;
CREATE INDEX withdrawal_schedules_checks ON withdrawal_schedules (checked_at NULLS FIRST) WHERE deleted_at IS NULL;

-- One row a nominal time, whatever fires twice.
CREATE TABLE schedule_firings (
  id            text PRIMARY KEY,
  schedule_id   text NOT NULL REFERENCES withdrawal_schedules,
  nominal_at    timestamptz NOT NULL,
  outcome       text NOT NULL CHECK (outcome IN ('created', 'refused')),
  withdrawal_id text REFERENCES withdrawals,
  -- {code, message, details} of what was refused.
  failure       jsonb,
  fired_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (schedule_id, nominal_at)
);
CREATE INDEX schedule_firings_latest ON schedule_firings (schedule_id, id DESC);
