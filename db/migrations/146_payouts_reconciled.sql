-- Payouts of every kind, which a reconciliation reads in the order of their ids.
CREATE INDEX payouts_reconciled ON payouts (merchant_id, id);
