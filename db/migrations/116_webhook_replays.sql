-- Replays of events to a webhook endpoint: durable, of any size. A workflow walks through the events of the window and makes their
-- deliveries pending, a few at a time. The place that it has reached moves in the transaction that makes them pending, so that a process
-- that dies sends none of them again.

CREATE TABLE webhook_replays (
  id           text PRIMARY KEY,
  merchant_id  text NOT NULL REFERENCES merchants,
  endpoint_id  text NOT NULL REFERENCES webhook_endpoints,
  mode         text NOT NULL CHECK (mode IN ('failed', 'missing', 'all')),
  -- Window by the time of the events: `since` belongs to it, `until` does not.
  since        timestamptz NOT NULL,
  until        timestamptz NOT NULL,
  -- Types of the endpoint that were requested. NULL: all but tests.
  event_types  text[],
  dry_run      boolean NOT NULL,
  -- Most deliveries a second. NULL: no cap.
  rate         integer CHECK (rate > 0),
  status       text NOT NULL CHECK (status IN ('running', 'completed', 'cancelled', 'failed')),
  failure      text,
  -- Deliveries that the mode selected at the beginning, once they are counted; and first attempts that this replay has caused.
  counted      boolean NOT NULL,
  matched      integer NOT NULL DEFAULT 0,
  sent         integer NOT NULL DEFAULT 0,
  delivered    integer NOT NULL DEFAULT 0,
  failed       integer NOT NULL DEFAULT 0,
  -- The last event that was examined, and whether the end of the window is reached.
  reached_at   timestamptz,
  reached_id   text,
  scanned      boolean NOT NULL DEFAULT false,
  -- When its workflow worked last. The sweeper starts the workflow of one that is late.
  touched_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at  timestamptz
);
CREATE INDEX webhook_replays_endpoint ON webhook_replays (endpoint_id, id DESC);
CREATE INDEX webhook_replays_running ON webhook_replays (touched_at) WHERE status = 'running';

-- A delivery that a replay has made pending. Those that were accepted are removed again.
CREATE TABLE webhook_replay_items (
  replay_id       text NOT NULL REFERENCES webhook_replays,
  delivery_id     text NOT NULL REFERENCES webhook_deliveries,
  -- Attempts of the delivery before. The next one is the first of the replay.
  attempts_before integer NOT NULL,
  -- Whether that one has failed. It may succeed later, by the timer of the delivery.
  failed          boolean NOT NULL DEFAULT false,
  PRIMARY KEY (replay_id, delivery_id)
);
CREATE INDEX webhook_replay_items_open ON webhook_replay_items (replay_id) WHERE NOT failed;
