-- A root cause that is given with a proposal is one of the exception once the proposal is booked.
ALTER TABLE exceptions ADD COLUMN proposed_root_cause text;
