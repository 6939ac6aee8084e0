-- The tables get the names of what they hold: a payout is everything that leaves a wallet, an attempt is a transaction that tries to carry it.
ALTER TABLE withdrawals RENAME TO payouts;
ALTER TABLE transactions RENAME TO attempts;
