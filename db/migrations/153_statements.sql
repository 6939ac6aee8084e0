-- Statements of a month: what an account had at its begin, and the entries of its window, are found by the versions of
-- the account, which are gapless and whose times never go back. No index by time is needed.

-- Returns the last version that an account had before an instant, 0 where it had none. It searches as balance_at does.
CREATE FUNCTION version_before(p_account bigint, p_version bigint, p_before timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  -- The last version that is known to be before the instant (0 is the empty account), and the first known not to be.
  v_low bigint := p_version;
  v_high bigint := p_version + 1;
  v_step bigint := 1;
  v_middle bigint;
  v_at timestamptz;
BEGIN
  WHILE v_low > 0 LOOP
    SELECT recorded_at INTO v_at FROM ledger_entries WHERE account_id = p_account AND account_version = v_low;
    EXIT WHEN v_at < p_before;
    v_high := v_low;
    v_low := greatest(0, v_low - v_step);
    v_step := v_step * 2;
  END LOOP;
  WHILE v_high - v_low > 1 LOOP
    v_middle := (v_low + v_high) / 2;
    SELECT recorded_at INTO v_at FROM ledger_entries WHERE account_id = p_account AND account_version = v_middle;
    IF v_at < p_before THEN
      v_low := v_middle;
    ELSE
      v_high := v_middle;
    END IF;
  END LOOP;
  RETURN v_low;
END $$;
