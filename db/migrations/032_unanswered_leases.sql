-- When a signer first took the request: a lease is renewed as often as it runs out, so only this tells how long it is unanswered.
ALTER TABLE signing_requests ADD COLUMN first_leased_at timestamptz;
UPDATE signing_requests SET first_leased_at = created_at WHERE state <> 'queued';
