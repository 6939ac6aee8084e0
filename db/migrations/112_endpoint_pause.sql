-- Endpoints can be paused, and those that resume get what was held one delivery at a time.

ALTER TABLE webhook_endpoints
  DROP CONSTRAINT webhook_endpoints_status_check,
  ADD CONSTRAINT webhook_endpoints_status_check CHECK (status IN ('active', 'paused', 'disabled', 'deleted'));

ALTER TABLE webhook_deliveries
  -- Start of the running part of the window. NULL before the workflow starts, while the delivery is held, and after its end.
  ADD COLUMN window_started_at timestamptz,
  -- Time of the window that had passed when the delivery was held. The window stands still until it is released.
  ADD COLUMN window_used_ms bigint NOT NULL DEFAULT 0,
  -- Position of the event, from the release of a held delivery until its next attempt has a result. Deliveries of an endpoint take
  -- turns in this order, which is that of the sequences; an event may have no sequence yet.
  ADD COLUMN turn bigint;
CREATE INDEX webhook_deliveries_turns ON webhook_deliveries (endpoint_id, turn) WHERE turn IS NOT NULL;

-- The sealer reads the deliveries without a turn from this index, so that a long queue of one endpoint costs the others nothing.
DROP INDEX webhook_deliveries_unstarted;
CREATE INDEX webhook_deliveries_unstarted ON webhook_deliveries (created_at)
  WHERE workflow_started_at IS NULL AND status = 'pending' AND turn IS NULL;

-- Stops the window of a delivery that is held, and ends that of one that has ended, however its status changes.
CREATE FUNCTION move_delivery_window() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status = 'held' THEN
    NEW.window_used_ms := OLD.window_used_ms + coalesce(
      extract(epoch FROM clock_timestamp() - coalesce(OLD.window_started_at, OLD.workflow_started_at)) * 1000, 0);
  ELSIF NEW.status <> 'pending' THEN
    NEW.window_used_ms := 0;
  END IF;
  NEW.window_started_at := NULL;
  IF NEW.status <> 'pending' THEN
    NEW.turn := NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER webhook_deliveries_window BEFORE UPDATE OF status ON webhook_deliveries
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION move_delivery_window();
