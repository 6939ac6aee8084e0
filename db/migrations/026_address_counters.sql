-- A database that was restored from a backup has the counters of its backup. It cannot know that it was restored, but it knows that
-- it was started: since then no address is given out before its counter was compared with the chain.

-- One value from a start of the server to the next, and another one once the table was made or filled again.
CREATE FUNCTION database_incarnation() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT extract(epoch FROM pg_postmaster_start_time())::text
      || ' ' || (SELECT oid FROM pg_database WHERE datname = current_database())::text
      || ' ' || pg_relation_filenode('key_accounts'::regclass)::text
$$;

ALTER TABLE key_accounts
  -- For which incarnation the counter was moved past what may have been given out after a backup.
  ADD COLUMN counter_moved text,
  -- For which incarnation the counter was compared with the chain. Addresses are given out only when it is the present one.
  ADD COLUMN counter_compared text;
-- An account that is made now has given nothing out.
ALTER TABLE key_accounts
  ALTER COLUMN counter_moved SET DEFAULT database_incarnation(),
  ALTER COLUMN counter_compared SET DEFAULT database_incarnation();

-- Why scanning a network has not begun; the row goes when it begins.
CREATE TABLE chain_waits (
  network    text PRIMARY KEY,
  note       text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
