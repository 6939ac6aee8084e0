-- The run in which a signer claimed a request last: requests of one account with ascending nonces. A request that is given back names it,
-- so that a late message about an earlier claim has no effect on a later one.
ALTER TABLE signing_requests ADD COLUMN run text;
