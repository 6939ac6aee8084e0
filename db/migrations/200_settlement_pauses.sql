-- Pauses of settlement: while one stands, nothing that it covers is built, offered to a signer or sent.
CREATE TABLE settlement_pauses (
  id          text PRIMARY KEY,
  placed_by   text NOT NULL CHECK (placed_by IN ('merchant', 'operator')),
  -- Null: every merchant, network or coin.
  merchant_id text REFERENCES merchants,
  network     text,
  coin        text,
  reason      text NOT NULL,
  actor       text NOT NULL,
  since       timestamptz NOT NULL DEFAULT clock_timestamp(),
  resumed_at  timestamptz,
  CHECK (placed_by = 'operator' OR merchant_id IS NOT NULL),
  CHECK (coin IS NULL OR network IS NOT NULL)
);
-- One of a kind stands at a time.
CREATE UNIQUE INDEX settlement_pauses_standing ON settlement_pauses (placed_by, merchant_id, network, coin)
  NULLS NOT DISTINCT WHERE resumed_at IS NULL;
CREATE INDEX settlement_pauses_merchant ON settlement_pauses (merchant_id, id);

-- Operators who asked for the end of a pause that an operator placed.
CREATE TABLE settlement_resume_votes (
  pause_id text NOT NULL REFERENCES settlement_pauses,
  -- Person, or API key of no person.
  voter    text NOT NULL,
  reason   text NOT NULL,
  voted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (pause_id, voter)
);

-- Payouts whose bytes a process may be sending. A row whose time is over is left by a process that died.
CREATE TABLE sends_under_way (
  id        text PRIMARY KEY,
  payout_id text NOT NULL REFERENCES payouts,
  until     timestamptz NOT NULL
);

-- The oldest pause that covers a payout of a merchant on a rail.
CREATE FUNCTION standing_pause(of_merchant text, of_network text, of_coin text)
RETURNS SETOF settlement_pauses LANGUAGE sql STABLE AS $$
  SELECT * FROM settlement_pauses pause
  WHERE pause.resumed_at IS NULL
    AND (pause.merchant_id IS NULL OR pause.merchant_id = of_merchant)
    AND (pause.network IS NULL OR pause.network = of_network)
    AND (pause.coin IS NULL OR pause.coin = of_coin)
  ORDER BY pause.since, pause.id LIMIT 1
$$;

-- Returns the pause that forbids to send a payout. Without one, notes that it is being sent, for at most this time.
-- The lock is exclusive where a pause is placed: either the pause finds the note, or this finds the pause.
CREATE FUNCTION begin_send(note text, of_payout text, lasts interval)
RETURNS SETOF settlement_pauses LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('settlement', 0));
  RETURN QUERY
    SELECT pause.* FROM payouts payout
    CROSS JOIN LATERAL standing_pause(payout.merchant_id, payout.network, payout.coin) pause
    WHERE payout.id = of_payout;
  IF NOT FOUND THEN
    INSERT INTO sends_under_way (id, payout_id, until) VALUES (note, of_payout, clock_timestamp() + lasts);
  END IF;
END
$$;

ALTER TABLE control_changes DROP CONSTRAINT control_changes_kind_check;
ALTER TABLE control_changes ADD CONSTRAINT control_changes_kind_check
  CHECK (kind IN ('policy', 'whitelist', 'deposit_release', 'exception_resolution', 'period_close', 'period_reopen',
                  'settlement_resume'));
-- One resumption of a merchant waits at a time.
CREATE UNIQUE INDEX control_changes_resume ON control_changes (merchant_id)
  WHERE kind = 'settlement_resume' AND state = 'pending_approval';

-- Payouts that a pause stopped, which a resumption wakes.
CREATE INDEX payouts_paused ON payouts (id) WHERE waiting ->> 'code' = 'SETTLEMENT_PAUSED';
