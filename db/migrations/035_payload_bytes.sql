-- How large what a signer gets of an attempt is, so that a claim is kept below the size of an answer without reading payloads.
-- Null in rows that are older than this column: their payload is measured when it is claimed.
ALTER TABLE transactions ADD COLUMN payload_bytes integer;
