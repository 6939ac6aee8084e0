-- A process that sends waits for no lock: it commits its note first, and looks for a pause then. A person who pauses
-- commits the pause first, and looks for notes then. So one of them sees the other.
DROP FUNCTION begin_send(text, text, interval);
-- The reference would wait for a transaction that holds the payout.
ALTER TABLE sends_under_way DROP CONSTRAINT sends_under_way_payout_id_fkey;
