-- Reads of balances of the past, and indexes that serve the filters of lists.

-- The balance that an account had at an instant. The versions of an account are gapless and their times never go back,
-- so a search by doubling steps from the newest finds the last one, in a few probes of the primary key, without an
-- index by time that each posting would have to write.
CREATE FUNCTION balance_at(p_account bigint, p_version bigint, p_at timestamptz) RETURNS numeric
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  -- The last version that is known to be at or before the instant (0 is the empty account), and the first known after.
  v_low bigint := p_version;
  v_high bigint := p_version + 1;
  v_step bigint := 1;
  v_middle bigint;
  v_entry record;
  v_balance numeric := 0;
BEGIN
  WHILE v_low > 0 LOOP
    SELECT recorded_at, balance_after INTO v_entry FROM ledger_entries
    WHERE account_id = p_account AND account_version = v_low;
    IF v_entry.recorded_at <= p_at THEN
      v_balance := v_entry.balance_after;
      EXIT;
    END IF;
    v_high := v_low;
    v_low := greatest(0, v_low - v_step);
    v_step := v_step * 2;
  END LOOP;
  WHILE v_high - v_low > 1 LOOP
    v_middle := (v_low + v_high) / 2;
    SELECT recorded_at, balance_after INTO v_entry FROM ledger_entries
    WHERE account_id = p_account AND account_version = v_middle;
    IF v_entry.recorded_at <= p_at THEN
      v_low := v_middle;
      v_balance := v_entry.balance_after;
    ELSE
      v_high := v_middle;
    END IF;
  END LOOP;
  RETURN v_balance;
END $$;

-- Deposits that took longer until their credit than a balance of the past reads back. Few did.
CREATE INDEX deposits_slow ON deposits (merchant_id)
  WHERE epoch > 0 OR status = 'replaced' OR greatest(confirmed_at, credited_at) - detected_at > interval '6 hours';

-- Payouts by the time of their confirmation, for reports.
CREATE INDEX payouts_confirmed ON payouts (merchant_id, confirmed_at)
  WHERE confirmed_at IS NOT NULL AND kind IN ('withdrawal', 'batch_part');

-- Accounts of one owner, and pages of accounts. Their columns never change, so postings do not write them.
CREATE INDEX ledger_accounts_owner ON ledger_accounts (merchant_id, owner);
CREATE INDEX ledger_accounts_owed ON ledger_accounts (merchant_id, id DESC) WHERE kind IN ('available', 'reserved');
CREATE INDEX ledger_accounts_held ON ledger_accounts (merchant_id, id DESC) WHERE kind = 'chain';
CREATE INDEX ledger_accounts_owed_rail ON ledger_accounts (merchant_id, network, coin, id DESC)
  WHERE kind IN ('available', 'reserved');
CREATE INDEX ledger_accounts_held_rail ON ledger_accounts (merchant_id, network, coin, id DESC) WHERE kind = 'chain';

-- Lists of a rail: a page reads its rows of each coin that the filter names, and merges them.
CREATE INDEX deposits_rail ON deposits (merchant_id, network, coin, id DESC);
CREATE INDEX payouts_rail ON payouts (merchant_id, network, coin, id DESC) WHERE kind = 'withdrawal';
-- Lists by a status that few rows have. Most deposits are credited and most withdrawals paid; a page of those is found
-- among all.
CREATE INDEX deposits_status ON deposits (merchant_id, status, id DESC) WHERE status <> 'success';
CREATE INDEX payouts_listed_stage ON payouts (merchant_id, stage, id DESC) WHERE kind = 'withdrawal' AND stage <> 'confirmed';
-- Searches.
CREATE INDEX payouts_user ON payouts (merchant_id, user_reference, id DESC)
  WHERE kind = 'withdrawal' AND user_reference IS NOT NULL;
CREATE INDEX addresses_network ON addresses (merchant_id, network, id DESC)
  WHERE kind = 'deposit' AND user_reference IS NOT NULL;
CREATE INDEX addresses_newest_of_user ON addresses (merchant_id, user_reference, id DESC);
CREATE INDEX batches_user ON batches (merchant_id, user_reference, id DESC) WHERE user_reference IS NOT NULL;
CREATE INDEX batches_rail ON batches (merchant_id, network, coin, id DESC);
CREATE INDEX batches_listed_status ON batches (merchant_id, status, id DESC);
CREATE INDEX payouts_movement_kind ON payouts (merchant_id, kind, id DESC)
  WHERE kind IN ('consolidation', 'gas_funding', 'rebalance');
CREATE INDEX payouts_movement_rail ON payouts (merchant_id, network, coin, id DESC)
  WHERE kind IN ('consolidation', 'gas_funding', 'rebalance');
CREATE INDEX payouts_movement_stage ON payouts (merchant_id, stage, id DESC)
  WHERE kind IN ('consolidation', 'gas_funding', 'rebalance') AND stage <> 'confirmed';
CREATE INDEX audit_log_subject ON audit_log (merchant_id, subject, sequence DESC) WHERE sequence IS NOT NULL;
CREATE INDEX audit_log_actor ON audit_log (merchant_id, actor, sequence DESC) WHERE sequence IS NOT NULL;
CREATE INDEX audit_log_action ON audit_log (merchant_id, action, sequence DESC) WHERE sequence IS NOT NULL;
CREATE INDEX withdrawal_schedules_standing ON withdrawal_schedules (merchant_id, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX withdrawal_schedules_removed ON withdrawal_schedules (merchant_id, id DESC) WHERE deleted_at IS NOT NULL;
