-- The transaction that created an address, so that a watcher can ask for those that it has not seen. A time or a sequence would
-- miss addresses of transactions that began earlier and committed later. Null: older than this column.
ALTER TABLE addresses ADD COLUMN created_in xid8;
ALTER TABLE addresses ALTER COLUMN created_in SET DEFAULT pg_current_xact_id();
CREATE INDEX addresses_created_in ON addresses (network, created_in) WHERE created_in IS NOT NULL;
