-- Events, webhook endpoints, deliveries and the audit log. `sequence` and hashes are assigned after commit by the sealer.

CREATE TABLE events (
  id           text PRIMARY KEY,
  position     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  merchant_id  text NOT NULL REFERENCES merchants,
  type         text NOT NULL,
  -- The object the event is about, e.g. a deposit's id.
  subject      text NOT NULL,
  occurred_at  timestamptz NOT NULL,
  data         jsonb NOT NULL,
  sequence     bigint,
  -- Frozen when sealed: every attempt and redelivery sends these bytes.
  body         bytea,
  -- The same event as endpoints of format "layer1" get it, where that format has such an event.
  layer1_body  bytea,
  UNIQUE (merchant_id, sequence)
);
CREATE INDEX events_unsealed ON events (position) WHERE sequence IS NULL;
CREATE INDEX events_time ON events (merchant_id, occurred_at);
CREATE INDEX events_subject ON events (subject, position);

CREATE TABLE event_sequences (
  merchant_id text PRIMARY KEY REFERENCES merchants,
  sequence    bigint NOT NULL
);

CREATE TABLE webhook_endpoints (
  id                     text PRIMARY KEY,
  merchant_id            text NOT NULL REFERENCES merchants,
  url                    text NOT NULL,
  event_types            text[],
  format                 text NOT NULL DEFAULT 'keyturn' CHECK (format IN ('keyturn', 'layer1')),
  status                 text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled', 'deleted')),
  -- AES-256-GCM under the platform's master key.
  secret_sealed          bytea NOT NULL,
  previous_secret_sealed bytea,
  previous_secret_until  timestamptz,
  created_at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_endpoints_merchant ON webhook_endpoints (merchant_id, id DESC);

CREATE TABLE webhook_deliveries (
  id                  text PRIMARY KEY,
  merchant_id         text NOT NULL,
  event_id            text NOT NULL REFERENCES events,
  endpoint_id         text NOT NULL REFERENCES webhook_endpoints,
  -- The endpoint's when the delivery was made: a redelivery sends the same bytes whatever the endpoint asks for by then.
  format              text NOT NULL DEFAULT 'keyturn',
  status              text NOT NULL DEFAULT 'pending'
                      CHECK (status IN ('pending', 'delivered', 'held', 'exhausted', 'cancelled')),
  attempts            integer NOT NULL DEFAULT 0,
  next_attempt_at     timestamptz,
  created_at          timestamptz NOT NULL DEFAULT now(),
  delivered_at        timestamptz,
  workflow_started_at timestamptz,
  -- Times it was made pending again (redelivery, replay, endpoint enabled): its workflow is then signalled, not just started.
  restarts            integer NOT NULL DEFAULT 0,
  UNIQUE (event_id, endpoint_id)
);
CREATE INDEX webhook_deliveries_merchant ON webhook_deliveries (merchant_id, id DESC);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (created_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_unstarted ON webhook_deliveries (created_at) WHERE workflow_started_at IS NULL AND status = 'pending';

CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint_id, id DESC);
-- What a sweep looks at: deliveries whose workflow should have done something by now.
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries ((coalesce(next_attempt_at, workflow_started_at)))
  WHERE status = 'pending' AND workflow_started_at IS NOT NULL;
CREATE INDEX webhook_deliveries_held ON webhook_deliveries (endpoint_id) WHERE status = 'held';

CREATE TABLE webhook_attempts (
  delivery_id text NOT NULL REFERENCES webhook_deliveries,
  number      integer NOT NULL,
  at          timestamptz NOT NULL,
  status_code integer,
  duration_ms integer NOT NULL,
  error       text,
  response    text,
  PRIMARY KEY (delivery_id, number)
);

CREATE TABLE audit_log (
  position    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  merchant_id text NOT NULL,
  at          timestamptz NOT NULL DEFAULT now(),
  -- Who: person:…, api-key:…, signer:…, system:…
  actor       text NOT NULL,
  action      text NOT NULL,
  subject     text NOT NULL,
  data        jsonb NOT NULL DEFAULT '{}',
  sequence    bigint,
  previous    bytea,
  hash        bytea,
  UNIQUE (merchant_id, sequence)
);
CREATE INDEX audit_log_unsealed ON audit_log (position) WHERE sequence IS NULL;

CREATE TABLE audit_heads (
  merchant_id text PRIMARY KEY,
  sequence    bigint NOT NULL,
  hash        bytea NOT NULL
);

-- Sealed means frozen: an event's bytes and an audit entry never change or vanish afterwards, and before sealing only
-- the sealer's columns may.
CREATE FUNCTION refuse_change_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.sequence IS NOT NULL OR (NEW.id, NEW.merchant_id, NEW.type, NEW.data, NEW.occurred_at)
     IS DISTINCT FROM (OLD.id, OLD.merchant_id, OLD.type, OLD.data, OLD.occurred_at) THEN
    RAISE EXCEPTION 'events are frozen' USING ERRCODE = 'KT005';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER events_frozen BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change_of_event();

CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.sequence IS NOT NULL
     OR (NEW.merchant_id, NEW.at, NEW.actor, NEW.action, NEW.subject, NEW.data)
     IS DISTINCT FROM (OLD.merchant_id, OLD.at, OLD.actor, OLD.action, OLD.subject, OLD.data) THEN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'KT005';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_log_frozen BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change_of_audit();
