-- What of one endpoint failed, beside many deliveries of it that did not, and many of other endpoints that did. Deliveries that
-- were accepted at once are in neither index.
CREATE INDEX webhook_deliveries_endpoint_ended ON webhook_deliveries (endpoint_id, status, created_at DESC, id DESC)
  WHERE status IN ('exhausted', 'cancelled');
CREATE INDEX webhook_deliveries_endpoint_failed ON webhook_deliveries (endpoint_id, created_at DESC, id DESC)
  WHERE failure_classes <> '{}';
