-- A hold belongs to one dispute, one coin and, unless it holds what a user has, one deposit. A deposit is held once at a
-- time, also when several disputes concern it.
ALTER TABLE exception_holds ADD COLUMN deposit_id text REFERENCES deposits;

UPDATE exception_holds hold SET deposit_id = exception.subject_id
FROM exceptions exception
WHERE exception.id = hold.exception_id AND exception.subject_type = 'deposit' AND hold.released_at IS NULL
  AND NOT EXISTS (
    SELECT FROM exception_holds other JOIN exceptions theirs ON theirs.id = other.exception_id
    WHERE other.released_at IS NULL AND other.exception_id < hold.exception_id AND theirs.subject_id = exception.subject_id);

DROP INDEX exception_holds_standing;
CREATE UNIQUE INDEX exception_holds_standing ON exception_holds (exception_id, network, coin, owner, deposit_id)
  NULLS NOT DISTINCT WHERE released_at IS NULL;
CREATE UNIQUE INDEX exception_holds_deposit ON exception_holds (deposit_id)
  WHERE released_at IS NULL AND deposit_id IS NOT NULL;
