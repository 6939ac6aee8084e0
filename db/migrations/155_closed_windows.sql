-- A closed period stays as it is. A posting takes its time from the clock, which never lies in a window that has ended,
-- unless the clock is set back; then the entries get the time of the window's end. What belongs to a closed period by
-- its cause is noted as an adjustment of the period in which it is booked: a journal about a block that the closed
-- period had counted, and the reversal of what was booked in it.

-- Posts journals of one merchant: arrays of journals, and arrays of entries that point at them by ordinal (from 1).
-- Idempotent by key: the same key and hash is a replay and changes nothing; another hash is an error (KT004).
-- Locks the accounts in the order of their ids, then takes the time, then writes balances and gapless versions.
-- A user's liability may not turn into a claim (KT001), except where overdraft is allowed (the reversal of a deposit).
-- No entry gets a time of a closed period: a journal whose cause lies in one is booked after it, and noted.
-- Returns the time of the entries, so that the history of what was booked can have the same.
-- Keeps the totals of each account: journals of deposits count as deposited, transfers as transferred, all others as
-- withdrawn, less fees and what stays at another address. A reversal takes back what its journal counted.
CREATE OR REPLACE FUNCTION post_journals(
  p_merchant text,
  p_keys text[], p_hashes bytea[], p_types text[], p_references text[], p_reverses bigint[],
  p_rails text[], p_heights bigint[],
  p_journals int[], p_networks text[], p_coins text[], p_kinds text[], p_owners text[], p_amounts numeric[],
  p_fees numeric[], p_moved numeric[],
  p_allow_overdraft boolean
) RETURNS TABLE (ordinal int, journal_id bigint, replayed boolean, booked_at timestamptz) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET keyturn.posting = 'on' AS $$
#variable_conflict use_column
DECLARE
  -- Ids of the journals by ordinal; null where the key was posted before.
  v_ids bigint[];
  -- Ids of all journals, also of those that were posted before. Null when there are none of these.
  v_known bigint[];
  v_reused text;
  -- The entries, sorted by the ids of their accounts and then by position.
  v_accounts bigint[];
  v_journals int[];
  v_amounts numeric[];
  v_fees numeric[];
  v_moved numeric[];
  -- What each entry leaves: the account's version and balance.
  v_versions bigint[] := '{}';
  v_balances numeric[] := '{}';
  v_deposited numeric[] := '{}';
  v_withdrawn numeric[] := '{}';
  v_paid_fees numeric[] := '{}';
  v_in numeric[] := '{}';
  v_out numeric[] := '{}';
  v_sign int;
  v_amount numeric;
  v_next int := 1;
  v_change numeric;
  v_time timestamptz := '-infinity';
  v_account record;
  v_bad record;
  -- Up to when the periods of the merchant are closed, and up to which blocks. Null without a closed period.
  v_fence record;
BEGIN
  -- Every journal balances, before anything is locked.
  SELECT entry.journal, entry.network, entry.coin INTO v_bad
  FROM unnest(p_journals, p_networks, p_coins, p_amounts) AS entry (journal, network, coin, amount)
  GROUP BY entry.journal, entry.network, entry.coin HAVING sum(entry.amount) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'journal "%" does not balance in % on %', p_keys[v_bad.journal], v_bad.coin, v_bad.network
      USING ERRCODE = 'KT003';
  END IF;

  -- One journal needs no arrays, which cost as much as its row.
  IF cardinality(p_keys) = 1 THEN
    INSERT INTO ledger_journals (
      merchant_id, idempotency_key, request_hash, type, reference, reverses, recorded_at, network, height)
    VALUES (
      p_merchant, p_keys[1], p_hashes[1], p_types[1], p_references[1], p_reverses[1], clock_timestamp(), p_rails[1],
      coalesce(p_heights[1], (SELECT cursor.height + 1 FROM chain_cursors cursor WHERE cursor.network = p_rails[1])))
    ON CONFLICT (merchant_id, idempotency_key) DO NOTHING
    RETURNING ARRAY[id] INTO v_ids;
    v_ids := coalesce(v_ids, ARRAY[NULL::bigint]);
  ELSE
    WITH journal AS (
      SELECT * FROM unnest(p_keys, p_hashes, p_types, p_references, p_reverses, p_rails, p_heights)
        WITH ORDINALITY AS journal (key, hash, type, reference, reverses, rail, height, position)
    ), inserted AS (
      INSERT INTO ledger_journals (
        merchant_id, idempotency_key, request_hash, type, reference, reverses, recorded_at, network, height)
      SELECT p_merchant, key, hash, type, reference, reverses, clock_timestamp(), rail,
             coalesce(height, (SELECT cursor.height + 1 FROM chain_cursors cursor WHERE cursor.network = rail))
      FROM journal ORDER BY key
      ON CONFLICT (merchant_id, idempotency_key) DO NOTHING
      RETURNING id, idempotency_key
    )
    SELECT array_agg(inserted.id ORDER BY journal.position) INTO v_ids
    FROM journal LEFT JOIN inserted ON inserted.idempotency_key = journal.key;
  END IF;

  IF array_position(v_ids, NULL) IS NOT NULL THEN
    SELECT array_agg(known.id ORDER BY journal.position),
           min(journal.key) FILTER (WHERE known.request_hash <> journal.hash)
    INTO v_known, v_reused
    FROM unnest(p_keys, p_hashes) WITH ORDINALITY AS journal (key, hash, position)
    -- OFFSET keeps this a search for each key.
    CROSS JOIN LATERAL (
      SELECT id, request_hash FROM ledger_journals
      WHERE merchant_id = p_merchant AND idempotency_key = journal.key
      OFFSET 0
    ) known;
    IF v_reused IS NOT NULL THEN
      RAISE EXCEPTION 'journal key "%" was used for another journal', v_reused USING ERRCODE = 'KT004';
    END IF;
  END IF;

  -- At most twice: the second time every account is there.
  LOOP
    SELECT array_agg(account.id ORDER BY account.id, entry.position),
           array_agg(entry.journal ORDER BY account.id, entry.position),
           array_agg(entry.amount ORDER BY account.id, entry.position),
           array_agg(entry.fee ORDER BY account.id, entry.position),
           array_agg(entry.moved ORDER BY account.id, entry.position)
    INTO v_accounts, v_journals, v_amounts, v_fees, v_moved
    FROM unnest(p_networks, p_coins, p_kinds, p_owners, p_journals, p_amounts, p_fees, p_moved)
      WITH ORDINALITY AS entry (network, coin, kind, owner, journal, amount, fee, moved, position)
    -- OFFSET keeps this a search for each entry.
    CROSS JOIN LATERAL (
      SELECT id FROM ledger_accounts
      WHERE merchant_id = p_merchant AND network = entry.network AND coin = entry.coin AND kind = entry.kind
        AND owner = entry.owner
      OFFSET 0
    ) account;
    EXIT WHEN coalesce(cardinality(v_accounts), 0) = cardinality(p_amounts);
    INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner)
    SELECT DISTINCT p_merchant, entry.network, entry.coin, entry.kind, entry.owner
    FROM unnest(p_networks, p_coins, p_kinds, p_owners) AS entry (network, coin, kind, owner)
    ORDER BY entry.network, entry.coin, entry.kind, entry.owner
    ON CONFLICT (merchant_id, network, coin, kind, owner) DO NOTHING;
  END LOOP;

  FOR v_account IN
    SELECT * FROM ledger_accounts WHERE id = ANY (v_accounts) ORDER BY id FOR NO KEY UPDATE
  LOOP
    v_time := greatest(v_time, v_account.updated_at);
    v_change := 0;
    WHILE v_accounts[v_next] = v_account.id LOOP
      IF v_ids[v_journals[v_next]] IS NOT NULL THEN
        v_change := v_change + v_amounts[v_next];
        v_account.version := v_account.version + 1;
        v_account.balance := v_account.balance + v_amounts[v_next];
        -- A reversal mirrors its journal: the sign turns its amount back and counts it off.
        v_sign := CASE WHEN p_reverses[v_journals[v_next]] IS NULL THEN 1 ELSE -1 END;
        v_amount := v_sign * v_amounts[v_next];
        IF v_account.kind = 'network_fee' THEN
          NULL;
        ELSIF p_types[v_journals[v_next]] LIKE 'deposit.%' THEN
          v_account.deposited := v_account.deposited
            + v_sign * CASE v_account.kind WHEN 'chain' THEN v_amount ELSE -v_amount END;
        ELSIF p_types[v_journals[v_next]] LIKE 'transfer%' THEN
          IF v_amount > 0 THEN
            v_account.transferred_out := v_account.transferred_out + v_sign * v_amount;
          ELSE
            v_account.transferred_in := v_account.transferred_in - v_sign * v_amount;
          END IF;
        ELSIF v_account.kind = 'chain' AND v_amount > 0 THEN
          v_account.transferred_in := v_account.transferred_in + v_sign * v_amount;
        ELSE
          v_account.fees := v_account.fees + v_sign * coalesce(v_fees[v_next], 0);
          v_account.transferred_out := v_account.transferred_out + v_sign * coalesce(v_moved[v_next], 0);
          v_account.withdrawn := v_account.withdrawn + v_sign
            * (CASE v_account.kind WHEN 'chain' THEN -v_amount ELSE v_amount END
               - coalesce(v_fees[v_next], 0) - coalesce(v_moved[v_next], 0));
        END IF;
      END IF;
      v_versions := v_versions || v_account.version;
      v_balances := v_balances || v_account.balance;
      v_deposited := v_deposited || v_account.deposited;
      v_withdrawn := v_withdrawn || v_account.withdrawn;
      v_paid_fees := v_paid_fees || v_account.fees;
      v_in := v_in || v_account.transferred_in;
      v_out := v_out || v_account.transferred_out;
      v_next := v_next + 1;
    END LOOP;
    IF NOT p_allow_overdraft AND v_change > 0 AND v_account.balance > 0
      AND (v_account.kind = 'reserved' OR (v_account.kind = 'available' AND v_account.owner <> ''))
    THEN
      RAISE EXCEPTION 'insufficient % balance', v_account.kind USING ERRCODE = 'KT001', DETAIL = json_build_object(
        'kind', v_account.kind, 'owner', v_account.owner, 'network', v_account.network, 'coin', v_account.coin,
        'requested', v_change::text, 'available', (v_change - v_account.balance)::text)::text;
    END IF;
  END LOOP;
  SELECT closed_until, heights INTO v_fence FROM ledger_fences WHERE merchant_id = p_merchant;
  v_time := greatest(v_time, v_fence.closed_until, clock_timestamp());

  -- The bucket of an id in the sorted ids is the last entry of its account.
  UPDATE ledger_accounts
  SET version = v_versions[width_bucket(id, v_accounts)], balance = v_balances[width_bucket(id, v_accounts)],
      deposited = v_deposited[width_bucket(id, v_accounts)], withdrawn = v_withdrawn[width_bucket(id, v_accounts)],
      fees = v_paid_fees[width_bucket(id, v_accounts)], transferred_in = v_in[width_bucket(id, v_accounts)],
      transferred_out = v_out[width_bucket(id, v_accounts)], updated_at = v_time
  WHERE id = ANY (v_accounts) AND version <> v_versions[width_bucket(id, v_accounts)];

  INSERT INTO ledger_entries (account_id, account_version, journal_id, amount, balance_after, recorded_at, fee, moved)
  SELECT entry.account_id, entry.version, v_ids[entry.journal], entry.amount, entry.balance, v_time, entry.fee,
         entry.moved
  FROM unnest(v_accounts, v_versions, v_journals, v_amounts, v_balances, v_fees, v_moved)
    AS entry (account_id, version, journal, amount, balance, fee, moved)
  WHERE v_ids[entry.journal] IS NOT NULL;

  IF v_fence.closed_until IS NOT NULL THEN
    FOR position IN 1 .. cardinality(p_keys) LOOP
      IF v_ids[position] IS NOT NULL
        AND (p_heights[position] <= (v_fence.heights ->> p_rails[position])::bigint
          OR p_reverses[position] IS NOT NULL AND EXISTS (
            SELECT FROM ledger_entries WHERE journal_id = p_reverses[position] AND recorded_at < v_fence.closed_until))
      THEN
        INSERT INTO period_adjustments (merchant_id, journal_id) VALUES (p_merchant, v_ids[position]);
      END IF;
    END LOOP;
  END IF;

  FOR position IN 1 .. cardinality(p_keys) LOOP
    ordinal := position;
    journal_id := coalesce(v_ids[position], v_known[position]);
    replayed := v_ids[position] IS NULL;
    booked_at := v_time;
    IF replayed THEN
      SELECT recorded_at INTO booked_at FROM ledger_entries WHERE journal_id = v_known[position] LIMIT 1;
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;
