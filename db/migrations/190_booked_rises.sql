-- Rises of balances that two people booked, and what lay outside the books at the blocks that prove a period.
ALTER TABLE balance_rises
  -- Journal that books it. Null: it lies outside the books.
  ADD COLUMN journal_id bigint REFERENCES ledger_journals;
-- Finds the cause of a journal.
CREATE UNIQUE INDEX balance_rises_journal ON balance_rises (journal_id) WHERE journal_id IS NOT NULL;

-- Sums that the chain holds beside the closing: [{network, coin, amount}], in base units.
ALTER TABLE periods ADD COLUMN outside_books jsonb NOT NULL DEFAULT '[]';
