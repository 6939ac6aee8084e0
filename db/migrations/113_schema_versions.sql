-- Endpoints are pinned to a version of the data of events.

-- Endpoints that exist keep the form that they know.
ALTER TABLE webhook_endpoints ADD COLUMN schema_version text NOT NULL DEFAULT '2026-11-01';
ALTER TABLE webhook_endpoints ALTER COLUMN schema_version SET DEFAULT '2026-11-28';

ALTER TABLE events
  -- Version of the sealed body. NULL before sealing, and for events that were sealed before there were versions.
  ADD COLUMN schema_version text;

ALTER TABLE webhook_deliveries
  -- The endpoint's when the delivery was made, if that was not the newest. NULL: the bytes of the event itself.
  ADD COLUMN schema_version text;

-- Frozen bytes of events in versions that were not the newest, where a delivery has such a version.
CREATE TABLE event_bodies (
  event_id       text NOT NULL REFERENCES events,
  schema_version text NOT NULL,
  body           bytea NOT NULL,
  PRIMARY KEY (event_id, schema_version)
);

CREATE FUNCTION refuse_change_of_event_body() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are frozen' USING ERRCODE = 'KT005';
END $$;
CREATE TRIGGER event_bodies_frozen BEFORE UPDATE OR DELETE ON event_bodies
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_event_body();
