-- A rejected deposit stays held until a refund has paid it back. Then its coins are the merchant's own.
ALTER TABLE deposits
  -- Withdrawal that has paid the deposit back. Null again while a reorg has that withdrawal open.
  ADD COLUMN refunded_by text REFERENCES payouts;
