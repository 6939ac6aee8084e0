-- Requests of the operator to scan again what the watcher has passed.
CREATE TABLE rescans (
  id                  text PRIMARY KEY,
  network             text NOT NULL,
  -- What is scanned again: a transaction, a range of blocks, or all that an address received.
  transaction_hash    text,
  from_block          bigint,
  to_block            bigint,
  address_id          text REFERENCES addresses,
  status              text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'completed', 'failed')),
  -- Blocks to scan, in their order. Null until they are known. A range stands in from_block and to_block alone.
  blocks              bigint[],
  blocks_total        bigint,
  blocks_done         bigint NOT NULL DEFAULT 0,
  deposits            bigint NOT NULL DEFAULT 0,
  -- The first hundred of them.
  deposit_ids         text[] NOT NULL DEFAULT '{}',
  reason              text,
  failure_code        text,
  failure_message     text,
  created_by          text NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at         timestamptz,
  workflow_started_at timestamptz,
  workflow_seen_at    timestamptz,
  CHECK (num_nonnulls(transaction_hash, from_block, address_id) = 1),
  CHECK ((from_block IS NULL) = (to_block IS NULL)),
  CHECK ((status IN ('completed', 'failed')) = (finished_at IS NOT NULL)),
  CHECK ((status = 'failed') = (failure_code IS NOT NULL))
);
CREATE INDEX rescans_open ON rescans (created_at) WHERE status IN ('queued', 'running');
