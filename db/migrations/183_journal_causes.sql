-- Finds the cause of a journal.
CREATE INDEX exception_holds_journal ON exception_holds (journal_id);
CREATE INDEX foreign_spends_journal ON foreign_spends (journal_id) WHERE journal_id IS NOT NULL;
CREATE INDEX balance_falls_journal ON balance_falls (journal_id);
