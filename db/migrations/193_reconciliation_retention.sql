-- What the retention of reconciliations finds its rows by, and what it leaves behind.

-- Runs by their end, and lines of orders by their time.
CREATE INDEX reconciliation_runs_finished ON reconciliation_runs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX merchant_orders_at ON merchant_orders (merchant_id, at, order_id);
-- When the old orders of a payment were deleted. Without them it is no payment without an order. Null while they stay.
ALTER TABLE payments ADD COLUMN orders_purged_at timestamptz;
