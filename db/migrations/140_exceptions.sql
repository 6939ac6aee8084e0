-- The exception queue: what does not agree or did not go as agreed, once for each cause, until it is resolved.
CREATE TABLE exceptions (
  id              text PRIMARY KEY,
  merchant_id     text NOT NULL REFERENCES merchants,
  kind            text NOT NULL CHECK (kind IN (
    'paid_not_confirmed', 'stuck', 'late', 'late_confirmed', 'duplicate', 'wrong_amount', 'wrong_coin',
    'order_mismatch', 'drift', 'foreign_spend', 'unattributed', 'reorged', 'webhook_exhausted', 'rejected_deposit',
    'dispute')),
  -- Finer word for what happened, e.g. `deposit.reverted_after_spend`. The kind where there is none.
  detail          text NOT NULL,
  -- Names the cause within its merchant, e.g. `late:dep_…`.
  cause           text NOT NULL,
  status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'in_progress', 'resolved')),
  severity        text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
  -- One line that says why.
  reason          text NOT NULL,
  subject_type    text NOT NULL,
  subject_id      text NOT NULL,
  payment_id      text,
  user_reference  text,
  expected        text,
  actual          text,
  evidence        jsonb NOT NULL DEFAULT '{}',
  -- Person who takes care of it.
  owner           text REFERENCES persons,
  due_at          timestamptz NOT NULL,
  comments        jsonb NOT NULL DEFAULT '[]',
  -- Statuses with time, actor and cause, oldest first.
  history         jsonb NOT NULL DEFAULT '[]',
  resolution      text CHECK (resolution IN ('none', 'credit', 're_attribute', 'write_off', 'refund', 'cause_gone')),
  root_cause      text,
  resolved_at     timestamptz,
  -- Since when the cause is known to have ended.
  cause_gone_at   timestamptz,
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  CHECK ((status = 'resolved') = (resolution IS NOT NULL)),
  CHECK ((status = 'resolved') = (resolved_at IS NOT NULL))
);
-- One standing exception a cause: two that raise it at once wait for each other here.
CREATE UNIQUE INDEX exceptions_standing_cause ON exceptions (merchant_id, cause) WHERE status <> 'resolved';
-- The latest of a cause, which a person may have resolved.
CREATE INDEX exceptions_cause ON exceptions (merchant_id, cause, id DESC);
-- What still stands, of all merchants, to close what has lost its cause.
CREATE INDEX exceptions_standing ON exceptions (kind, id) WHERE status <> 'resolved';
-- Lists.
CREATE INDEX exceptions_merchant ON exceptions (merchant_id, id DESC);
CREATE INDEX exceptions_kind ON exceptions (merchant_id, kind, id DESC);
CREATE INDEX exceptions_status ON exceptions (merchant_id, status, id DESC);
CREATE INDEX exceptions_owner ON exceptions (merchant_id, owner, id DESC) WHERE owner IS NOT NULL;
CREATE INDEX exceptions_payment ON exceptions (merchant_id, payment_id, id DESC) WHERE payment_id IS NOT NULL;
CREATE INDEX exceptions_user ON exceptions (merchant_id, user_reference, id DESC) WHERE user_reference IS NOT NULL;
-- Overdue ones of a merchant, found without reading what is resolved.
CREATE INDEX exceptions_due ON exceptions (merchant_id, id DESC) INCLUDE (due_at) WHERE status <> 'resolved';

-- Due times that the configuration overrides. A kind without a row has that of the code.
CREATE TABLE exception_terms (
  kind   text PRIMARY KEY,
  due_ms bigint NOT NULL CHECK (due_ms > 0)
);

-- New endpoints get the version in which `exception.raised` has the kinds of the queue.
ALTER TABLE webhook_endpoints ALTER COLUMN schema_version SET DEFAULT '2026-11-29';
