-- A signer that is there and signs nothing at the moment: {reason, since}; null while it works.
ALTER TABLE signers ADD COLUMN stopped jsonb;
-- Why its signer would not look at a request for now: {code, message, at}. It is queued again and handed out after `lease_until`.
ALTER TABLE signing_requests ADD COLUMN postponed jsonb;
