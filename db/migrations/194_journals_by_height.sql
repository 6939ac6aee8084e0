-- Finds the bookings of a range of blocks that were made before or after an instant, without their rows. It serves what
-- the index without the time did.
CREATE INDEX ledger_journals_height_time ON ledger_journals (merchant_id, network, height, recorded_at);
DROP INDEX ledger_journals_height;
