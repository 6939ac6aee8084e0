-- Export jobs and their files. A file is kept as parts, so that every process can write and serve it, and so that a
-- job that died goes on where it was.

CREATE TABLE export_jobs (
  id                  text PRIMARY KEY,
  merchant_id         text NOT NULL REFERENCES merchants,
  dataset             text NOT NULL,
  format              text NOT NULL CHECK (format IN ('csv', 'ndjson')),
  filters             jsonb NOT NULL,
  status              text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done', 'failed')),
  -- Counts the activities that worked on it. Only the last one may write.
  run                 integer NOT NULL DEFAULT 0,
  -- What a dataset with a sequence holds, fixed by the first run: the ledger up to a time, others up to a sequence.
  as_of               text,
  last_sequence       bigint,
  -- Sequence of the last row in the parts.
  position            bigint NOT NULL DEFAULT 0,
  expected_rows       bigint,
  rows                bigint NOT NULL DEFAULT 0,
  parts               integer NOT NULL DEFAULT 0,
  -- Uncompressed, and as stored.
  bytes               bigint NOT NULL DEFAULT 0,
  stored_bytes        bigint NOT NULL DEFAULT 0,
  -- Of the uncompressed file. Null until done.
  sha256              bytea,
  crc32               bigint,
  failure_code        text,
  failure_message     text,
  created_by          text NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at         timestamptz,
  -- When its parts were deleted.
  purged_at           timestamptz,
  workflow_started_at timestamptz,
  workflow_seen_at    timestamptz,
  CHECK (status <> 'done' OR (sha256 IS NOT NULL AND crc32 IS NOT NULL AND finished_at IS NOT NULL)),
  CHECK (status <> 'failed' OR (failure_code IS NOT NULL AND finished_at IS NOT NULL))
);
CREATE INDEX export_jobs_merchant ON export_jobs (merchant_id, id DESC);
CREATE INDEX export_jobs_open ON export_jobs (merchant_id) WHERE status IN ('queued', 'running');
-- Files that are still kept, for the purge and for the merchant's limit.
CREATE INDEX export_jobs_kept ON export_jobs (merchant_id, finished_at) WHERE purged_at IS NULL;

CREATE TABLE export_parts (
  export_id text NOT NULL REFERENCES export_jobs,
  number    integer NOT NULL,
  -- Uncompressed.
  bytes     integer NOT NULL,
  -- A run of deflate blocks that ends at a byte, none of them the last: the parts of a file make one gzip stream.
  body      bytea NOT NULL,
  PRIMARY KEY (export_id, number)
);
-- It is compressed already.
ALTER TABLE export_parts ALTER COLUMN body SET STORAGE EXTERNAL;
