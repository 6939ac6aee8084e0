-- The circuit of a webhook endpoint. An endpoint whose deliveries keep failing gets one probe an interval; its other deliveries wait
-- without attempts of their own, and go out in order of their events after a probe that succeeds.

-- A row exists once an attempt at the endpoint has failed; without a row the circuit is closed. There is no foreign key: it would lock
-- the endpoint after the delivery, whereas a change of the endpoint locks the endpoint first, and the two would deadlock.
CREATE TABLE webhook_circuits (
  endpoint_id  text PRIMARY KEY,
  state        text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
  -- Since when it is in this state.
  since        timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- While closed: the deliveries that failed since the last success, with the time (seconds since the epoch) of their last failure.
  failures     jsonb NOT NULL DEFAULT '{}',
  -- While open: the failed probes that the endpoint answered. The delivery itself may be the cause, so others take turns.
  probes       integer NOT NULL DEFAULT 0,
  -- While half open: failures in a row, and the sequence of the last delivery that failed. The drain does not come back to it.
  refusals     integer NOT NULL DEFAULT 0,
  drained_to   bigint NOT NULL DEFAULT 0,
  -- When its workflow acts next. The sweeper starts the workflow of one that is late.
  due_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX webhook_circuits_due ON webhook_circuits (due_at) WHERE state <> 'closed';

ALTER TABLE webhook_deliveries
  -- Since when its workflow sleeps until the circuit of the endpoint wakes it. It is set while the delivery is pending, and stays until
  -- the workflow was woken, also if the delivery ends before.
  ADD COLUMN circuit_wait_since timestamptz,
  -- Whether a person requested the next attempt, which then waits for no circuit.
  ADD COLUMN requested boolean NOT NULL DEFAULT false;
CREATE INDEX webhook_deliveries_circuit_waits ON webhook_deliveries (endpoint_id) WHERE circuit_wait_since IS NOT NULL;
-- The deliveries that a probe and a drain choose from.
CREATE INDEX webhook_deliveries_pending_at ON webhook_deliveries (endpoint_id) WHERE status = 'pending';

-- Counts the result of an attempt at an endpoint, in the transaction that stores it. Returns 'opened' or 'recovered' if that moved the
-- circuit, so that its workflow must act, and NULL otherwise. A success costs an endpoint without failures one read and no write.
CREATE FUNCTION count_on_circuit(
  endpoint text, delivery text, event_sequence bigint, failed boolean, most_failures integer, span_ms double precision,
  interval_ms double precision, most_refusals integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  circuit webhook_circuits;
  moment  double precision := extract(epoch FROM clock_timestamp());
  recent  jsonb;
BEGIN
  IF failed THEN
    INSERT INTO webhook_circuits (endpoint_id) VALUES (endpoint) ON CONFLICT DO NOTHING;
  ELSIF NOT EXISTS (SELECT FROM webhook_circuits
                    WHERE endpoint_id = endpoint AND (state = 'open' OR failures <> '{}' OR refusals > 0)) THEN
    RETURN NULL;
  END IF;
  SELECT * INTO circuit FROM webhook_circuits WHERE endpoint_id = endpoint FOR UPDATE;
  IF NOT failed THEN
    UPDATE webhook_circuits SET
      failures = '{}', refusals = 0,
      state = CASE state WHEN 'open' THEN 'half_open' ELSE state END,
      since = CASE state WHEN 'open' THEN clock_timestamp() ELSE since END,
      drained_to = CASE state WHEN 'open' THEN 0 ELSE drained_to END,
      due_at = CASE state WHEN 'open' THEN clock_timestamp() ELSE due_at END
    WHERE endpoint_id = endpoint;
    RETURN CASE circuit.state WHEN 'open' THEN 'recovered' END;
  END IF;
  CASE circuit.state
    WHEN 'closed' THEN
      -- A delivery counts once, however often it failed: one that is retried soon must not open the circuit by itself.
      SELECT coalesce(jsonb_object_agg(key, value), '{}') INTO recent FROM jsonb_each(circuit.failures)
      WHERE value::double precision > moment - span_ms / 1000;
      recent := recent || jsonb_build_object(delivery, moment);
      IF (SELECT count(*) FROM jsonb_object_keys(recent)) < most_failures THEN
        UPDATE webhook_circuits SET failures = recent WHERE endpoint_id = endpoint;
        RETURN NULL;
      END IF;
    WHEN 'half_open' THEN
      IF circuit.refusals + 1 < most_refusals THEN
        UPDATE webhook_circuits SET refusals = refusals + 1, drained_to = greatest(drained_to, event_sequence)
        WHERE endpoint_id = endpoint;
        RETURN NULL;
      END IF;
    ELSE RETURN NULL;
  END CASE;
  UPDATE webhook_circuits SET
    state = 'open', since = clock_timestamp(), failures = '{}', probes = 0, refusals = 0,
    due_at = clock_timestamp() + interval_ms * interval '1 millisecond'
  WHERE endpoint_id = endpoint;
  RETURN 'opened';
END $$;
