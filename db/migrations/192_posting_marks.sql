-- A transaction that posts holds a mark of its merchant until it ends: an advisory lock, shared by all that post for
-- the merchant. A reader that wants the ledger up to a time waits for the marks of one merchant (`settleTime`), and not
-- for every transaction of the database.

-- Returns the mark of a merchant. There are 1,024, so that a transaction that posts for many merchants, as a block
-- does, needs no more locks than that. Merchants that share one wait for each other.
CREATE FUNCTION posting_mark(merchant text) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT hashtext(merchant) & 1023
$$;

-- The mark is taken before `post_journals` takes the time of the entries. So one that has taken an earlier time than a
-- reader has its mark, or has ended.
CREATE FUNCTION mark_posting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(192, posting_mark(NEW.merchant_id));
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_journals_mark BEFORE INSERT ON ledger_journals
  FOR EACH ROW EXECUTE FUNCTION mark_posting();
