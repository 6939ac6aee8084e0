-- Adjustments of which a period that is closed, or waits for its close, still says so. What was noted during a close that
-- was rejected, or for a period that was opened again, is none until the period closes over it again.
CREATE VIEW standing_adjustments AS
SELECT noted.merchant_id, noted.journal_id, booked.recorded_at
FROM period_adjustments noted
JOIN ledger_journals journal ON journal.id = noted.journal_id
CROSS JOIN LATERAL (
  SELECT max(recorded_at) AS recorded_at FROM ledger_entries WHERE journal_id = noted.journal_id
) booked
WHERE EXISTS (
  SELECT FROM periods period
  WHERE period.merchant_id = noted.merchant_id AND period.status <> 'open' AND period.to_at <= booked.recorded_at
    AND (
      EXISTS (
        SELECT FROM jsonb_array_elements(period.proof) block
        WHERE block ->> 'network' = journal.network AND journal.height <= (block ->> 'block_number')::bigint)
      OR journal.reverses IS NOT NULL AND EXISTS (
        SELECT FROM ledger_entries WHERE journal_id = journal.reverses AND recorded_at < period.to_at))
);
