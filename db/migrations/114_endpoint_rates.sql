-- Endpoints may limit how many deliveries a second they get, over all workers.

ALTER TABLE webhook_endpoints
  -- Most attempts a second. NULL: no limit.
  ADD COLUMN max_rate integer CHECK (max_rate >= 1);

ALTER TABLE webhook_deliveries
  -- Time that is reserved for its next attempt at an endpoint with a limit. It has passed unless an attempt is about to be made.
  ADD COLUMN slot_at timestamptz;

-- The first time at an endpoint with a limit that no delivery has reserved. There is no foreign key, as for circuits.
CREATE TABLE webhook_rates (
  endpoint_id text PRIMARY KEY,
  next_at     timestamptz NOT NULL
);

-- Reserves the next free time at the endpoint for an attempt of a delivery, and returns the milliseconds until then. A delivery whose
-- reserved time has not passed keeps it, so that a worker that died costs no time of others. Times are 5 % farther apart than the rate
-- asks for, so that a second holds no more attempts than allowed although some arrive a little late.
CREATE FUNCTION take_webhook_slot(delivery text, late_ms double precision) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
  endpoint text;
  rate     integer;
  slot     timestamptz;
  moment   timestamptz;
  spacing  interval;
BEGIN
  SELECT webhook_endpoints.id, max_rate, slot_at INTO endpoint, rate, slot
  FROM webhook_deliveries JOIN webhook_endpoints ON webhook_endpoints.id = endpoint_id
  WHERE webhook_deliveries.id = delivery;
  IF rate IS NULL THEN
    RETURN 0;
  END IF;
  moment := clock_timestamp();
  IF slot IS NULL OR slot < moment - late_ms * interval '1 millisecond' THEN
    spacing := interval '1.05 seconds' / rate;
    INSERT INTO webhook_rates AS rates (endpoint_id, next_at) VALUES (endpoint, moment + spacing)
    ON CONFLICT (endpoint_id) DO UPDATE SET next_at = greatest(rates.next_at, moment) + spacing
    RETURNING next_at - spacing INTO slot;
    UPDATE webhook_deliveries SET slot_at = slot WHERE id = delivery;
  END IF;
  RETURN greatest(0, extract(epoch FROM slot - clock_timestamp()) * 1000);
END $$;
