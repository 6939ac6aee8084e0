-- The sealer reads the deliveries without a workflow by endpoint, so that it reads none of an endpoint that takes no more now.
-- Those that became pending again come last, and so have a place of their own in the index.
DROP INDEX webhook_deliveries_unstarted;
CREATE INDEX webhook_deliveries_unstarted ON webhook_deliveries (endpoint_id, least(restarts, 1), created_at)
  WHERE workflow_started_at IS NULL AND status = 'pending' AND turn IS NULL AND NOT requested;
-- Those that a person requested wait neither for a circuit nor for a turn.
CREATE INDEX webhook_deliveries_requested ON webhook_deliveries (created_at)
  WHERE workflow_started_at IS NULL AND status = 'pending' AND turn IS NULL AND requested;
