-- What the log of webhook deliveries can be searched by and counted by: the class of a failure, the event, the payment, the time.

ALTER TABLE webhook_deliveries
  -- Type of the event, and the payment that its data names. Copies, so that an index serves lists by them.
  ADD COLUMN event_type text,
  ADD COLUMN payment_id text,
  -- Classes of its failed attempts, each once.
  ADD COLUMN failure_classes text[] NOT NULL DEFAULT '{}';
UPDATE webhook_deliveries SET event_type = event.type, payment_id = event.data ->> 'payment_id'
FROM events event WHERE event.id = event_id;

ALTER TABLE webhook_attempts
  -- NULL for a success, and for a failure of the platform itself. `response` holds the first kilobyte of the answer, redacted.
  ADD COLUMN failure_class text CHECK (failure_class IN
    ('unreachable', 'timeout', 'endpoint_error', 'signature_rejected', 'contract_rejected', 'redirect', 'blocked')),
  -- Copies, so that an index serves the figures of an endpoint. NULL in attempts that a process of an earlier version stores.
  ADD COLUMN endpoint_id text,
  ADD COLUMN test boolean;
UPDATE webhook_attempts SET
  endpoint_id = delivery.endpoint_id, test = delivery.event_type = 'webhook.test',
  -- Earlier versions stored more of the answer, and did not redact it.
  response = NULL,
  failure_class = CASE
    WHEN error IS NULL THEN NULL
    WHEN status_code BETWEEN 300 AND 399 THEN 'redirect'
    WHEN status_code IN (401, 403) THEN 'signature_rejected'
    WHEN status_code IN (404, 408, 429) THEN 'endpoint_error'
    WHEN status_code BETWEEN 400 AND 499 THEN 'contract_rejected'
    WHEN status_code IS NOT NULL THEN 'endpoint_error'
    WHEN error LIKE 'No answer within%' OR error = 'The connection timed out' THEN 'timeout'
    WHEN error LIKE 'Not sent: url%' THEN 'blocked'
    WHEN error LIKE 'Not sent:%' OR error LIKE 'No result was recorded%' THEN NULL
    ELSE 'unreachable'
  END
FROM webhook_deliveries delivery WHERE delivery.id = delivery_id;
UPDATE webhook_deliveries SET failure_classes = failed.classes
FROM (
  SELECT delivery_id, array_agg(DISTINCT failure_class) AS classes FROM webhook_attempts
  WHERE failure_class IS NOT NULL GROUP BY delivery_id
) failed
WHERE failed.delivery_id = id;

-- The figures of an endpoint.
CREATE INDEX webhook_attempts_endpoint ON webhook_attempts (endpoint_id, at);

-- Lists, the newest first: of all deliveries and by each filter. A list by time and another filter reads a part of one of them.
DROP INDEX webhook_deliveries_merchant;
CREATE INDEX webhook_deliveries_merchant ON webhook_deliveries (merchant_id, created_at DESC, id DESC);
DROP INDEX webhook_deliveries_endpoint;
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint_id, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_status ON webhook_deliveries (merchant_id, status, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (merchant_id, event_type, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_payment ON webhook_deliveries (payment_id, created_at DESC, id DESC) WHERE payment_id IS NOT NULL;
-- One index a class: deliveries that never failed are in none of them.
CREATE INDEX webhook_deliveries_unreachable ON webhook_deliveries (merchant_id, created_at DESC, id DESC)
  WHERE failure_classes @> ARRAY['unreachable'];
CREATE INDEX webhook_deliveries_timeout ON webhook_deliveries (merchant_id, created_at DESC, id DESC)
  WHERE failure_classes @> ARRAY['timeout'];
CREATE INDEX webhook_deliveries_endpoint_error ON webhook_deliveries (merchant_id, created_at DESC, id DESC)
  WHERE failure_classes @> ARRAY['endpoint_error'];
CREATE INDEX webhook_deliveries_signature_rejected ON webhook_deliveries (merchant_id, created_at DESC, id DESC)
  WHERE failure_classes @> ARRAY['signature_rejected'];
CREATE INDEX webhook_deliveries_contract_rejected ON webhook_deliveries (merchant_id, created_at DESC, id DESC)
  WHERE failure_classes @> ARRAY['contract_rejected'];
CREATE INDEX webhook_deliveries_redirect ON webhook_deliveries (merchant_id, created_at DESC, id DESC)
  WHERE failure_classes @> ARRAY['redirect'];
CREATE INDEX webhook_deliveries_blocked ON webhook_deliveries (merchant_id, created_at DESC, id DESC)
  WHERE failure_classes @> ARRAY['blocked'];

-- The oldest delivery that an endpoint has not accepted.
DROP INDEX webhook_deliveries_pending_at;
CREATE INDEX webhook_deliveries_pending_at ON webhook_deliveries (endpoint_id, created_at) WHERE status = 'pending';
DROP INDEX webhook_deliveries_held;
CREATE INDEX webhook_deliveries_held ON webhook_deliveries (endpoint_id, created_at) WHERE status = 'held';
