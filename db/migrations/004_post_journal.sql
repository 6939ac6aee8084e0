-- The one way into the ledger, and the guards that make it the only one.

-- Entries and journals are never changed, whoever asks.
CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is immutable: post a reversing journal instead' USING ERRCODE = 'KT002';
END $$;

CREATE TRIGGER ledger_journals_immutable BEFORE UPDATE OR DELETE ON ledger_journals
  FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER ledger_journals_no_truncate BEFORE TRUNCATE ON ledger_journals
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER ledger_entries_immutable BEFORE UPDATE OR DELETE ON ledger_entries
  FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER ledger_entries_no_truncate BEFORE TRUNCATE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();

-- Whatever is written past post_journals (which balances what it posts before it locks anything) must balance at commit.
CREATE FUNCTION check_journal_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  checked bigint := (to_jsonb(NEW) ->> TG_ARGV[0])::bigint;
BEGIN
  IF EXISTS (
    SELECT 1 FROM ledger_entries entry JOIN ledger_accounts account ON account.id = entry.account_id
    WHERE entry.journal_id = checked
    GROUP BY account.merchant_id, account.network, account.coin HAVING sum(entry.amount) <> 0
  ) THEN
    RAISE EXCEPTION 'journal % does not balance', checked USING ERRCODE = 'KT003';
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER ledger_journals_balance AFTER INSERT ON ledger_journals
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (current_setting('keyturn.posting', true) IS DISTINCT FROM 'on')
  EXECUTE FUNCTION check_journal_balance('id');
CREATE CONSTRAINT TRIGGER ledger_entries_balance AFTER INSERT ON ledger_entries
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (current_setting('keyturn.posting', true) IS DISTINCT FROM 'on')
  EXECUTE FUNCTION check_journal_balance('journal_id');

-- Posts journals of one merchant: arrays of journals, and arrays of entries that point at them by ordinal (from 1).
-- Idempotent by key: the same key and hash is a replay and changes nothing; another hash is an error (KT004).
-- Locks the accounts in the order of their ids, then takes the time, then writes balances and gapless versions.
-- A user's liability may not turn into a claim (KT001), except where overdraft is allowed (the reversal of a deposit).
CREATE FUNCTION post_journals(
  p_merchant text,
  p_keys text[], p_hashes bytea[], p_types text[], p_references text[], p_reverses bigint[],
  p_journals int[], p_networks text[], p_coins text[], p_kinds text[], p_owners text[], p_amounts numeric[],
  p_allow_overdraft boolean
) RETURNS TABLE (ordinal int, journal_id bigint, replayed boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  -- Ids of the journals by ordinal; null where the key was posted before.
  v_ids bigint[];
  -- The account of each entry, in the order of the entries.
  v_accounts bigint[];
  v_time timestamptz;
  v_bad record;
BEGIN
  -- Every journal balances, before anything is locked.
  SELECT entry.journal, entry.network, entry.coin INTO v_bad
  FROM unnest(p_journals, p_networks, p_coins, p_amounts) AS entry (journal, network, coin, amount)
  GROUP BY entry.journal, entry.network, entry.coin HAVING sum(entry.amount) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'journal "%" does not balance in % on %', p_keys[v_bad.journal], v_bad.coin, v_bad.network
      USING ERRCODE = 'KT003';
  END IF;

  PERFORM set_config('keyturn.posting', 'on', true);

  WITH journal AS (
    SELECT * FROM unnest(p_keys, p_hashes, p_types, p_references, p_reverses)
      WITH ORDINALITY AS journal (key, hash, type, reference, reverses, position)
  ), inserted AS (
    INSERT INTO ledger_journals (merchant_id, idempotency_key, request_hash, type, reference, reverses, recorded_at)
    SELECT p_merchant, key, hash, type, reference, reverses, clock_timestamp() FROM journal ORDER BY key
    ON CONFLICT (merchant_id, idempotency_key) DO NOTHING
    RETURNING id, idempotency_key
  )
  SELECT array_agg(inserted.id ORDER BY journal.position) INTO v_ids
  FROM journal LEFT JOIN inserted ON inserted.idempotency_key = journal.key;

  IF array_position(v_ids, NULL) IS NOT NULL THEN
    SELECT known.idempotency_key INTO v_bad
    FROM unnest(p_keys, p_hashes) AS journal (key, hash)
    JOIN ledger_journals known ON known.merchant_id = p_merchant AND known.idempotency_key = journal.key
    WHERE known.request_hash <> journal.hash LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'journal key "%" was used for another journal', v_bad.idempotency_key USING ERRCODE = 'KT004';
    END IF;
  END IF;

  -- At most twice: the second time every account is there.
  LOOP
    SELECT array_agg(locked.id ORDER BY locked.position), greatest(clock_timestamp(), max(locked.updated_at))
    INTO v_accounts, v_time
    FROM (
      SELECT account.id, account.updated_at, entry.position
      FROM unnest(p_networks, p_coins, p_kinds, p_owners) WITH ORDINALITY AS entry (network, coin, kind, owner, position)
      JOIN ledger_accounts account
        ON account.merchant_id = p_merchant AND account.network = entry.network AND account.coin = entry.coin
        AND account.kind = entry.kind AND account.owner = entry.owner
      ORDER BY account.id FOR UPDATE OF account
    ) locked;
    EXIT WHEN coalesce(cardinality(v_accounts), 0) = cardinality(p_amounts);
    INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner)
    SELECT DISTINCT p_merchant, entry.network, entry.coin, entry.kind, entry.owner
    FROM unnest(p_networks, p_coins, p_kinds, p_owners) AS entry (network, coin, kind, owner)
    ORDER BY entry.network, entry.coin, entry.kind, entry.owner
    ON CONFLICT (merchant_id, network, coin, kind, owner) DO NOTHING;
  END LOOP;

  WITH entry AS (
    SELECT * FROM unnest(v_accounts, p_journals, p_amounts) WITH ORDINALITY AS entry (account_id, journal, amount, position)
    WHERE v_ids[entry.journal] IS NOT NULL
  ), change AS (
    SELECT account_id, sum(amount) AS amount, count(*) AS entries FROM entry GROUP BY account_id
  ), changed AS (
    UPDATE ledger_accounts account
    SET balance = account.balance + change.amount, version = account.version + change.entries, updated_at = v_time
    FROM change WHERE account.id = change.account_id
    RETURNING account.id, account.kind, account.owner, account.network, account.coin, account.balance, change.amount,
              account.balance - change.amount AS balance_before, account.version - change.entries AS version_before
  ), posted AS (
    INSERT INTO ledger_entries (account_id, account_version, journal_id, amount, balance_after, recorded_at)
    SELECT changed.id, changed.version_before + row_number() OVER running, v_ids[entry.journal], entry.amount,
           changed.balance_before + sum(entry.amount) OVER running, v_time
    FROM entry JOIN changed ON changed.id = entry.account_id
    WINDOW running AS (PARTITION BY changed.id ORDER BY entry.position ROWS UNBOUNDED PRECEDING)
  )
  SELECT changed.* INTO v_bad FROM changed
  WHERE NOT p_allow_overdraft AND changed.amount > 0 AND changed.balance > 0
    AND (changed.kind = 'reserved' OR (changed.kind = 'available' AND changed.owner <> ''))
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'insufficient % balance', v_bad.kind USING ERRCODE = 'KT001', DETAIL = json_build_object(
      'kind', v_bad.kind, 'owner', v_bad.owner, 'network', v_bad.network, 'coin', v_bad.coin,
      'requested', v_bad.amount::text, 'available', (v_bad.amount - v_bad.balance)::text)::text;
  END IF;

  PERFORM set_config('keyturn.posting', 'off', true);

  IF array_position(v_ids, NULL) IS NULL THEN
    RETURN QUERY SELECT posted.position::int, posted.id, false
                 FROM unnest(v_ids) WITH ORDINALITY AS posted (id, position) ORDER BY posted.position;
  ELSE
    RETURN QUERY
    SELECT journal.position::int, known.id, v_ids[journal.position] IS NULL
    FROM unnest(p_keys) WITH ORDINALITY AS journal (key, position)
    JOIN ledger_journals known ON known.merchant_id = p_merchant AND known.idempotency_key = journal.key
    ORDER BY journal.position;
  END IF;
END $$;
