-- What an attempt, a reservation, a nonce and a signing request belong to is always a payout. (A subject of approvals may also be a batch or
-- a change of controls, so that column keeps its name.)
ALTER TABLE attempts RENAME COLUMN subject_id TO payout_id;
ALTER TABLE utxo_reservations RENAME COLUMN subject_id TO payout_id;
ALTER TABLE nonces RENAME COLUMN subject_id TO payout_id;
ALTER TABLE nonces RENAME COLUMN last_subject_id TO last_payout_id;
ALTER TABLE signing_requests RENAME COLUMN subject_id TO payout_id;
