-- Deliveries whose workflow was started and has not begun to wait or made an attempt. They are few, and the sealer counts them by
-- endpoint, so that it starts no more than the workers take.
CREATE INDEX webhook_deliveries_begun ON webhook_deliveries (endpoint_id, workflow_started_at)
  WHERE status = 'pending' AND attempts = 0 AND workflow_started_at IS NOT NULL AND circuit_wait_since IS NULL;
