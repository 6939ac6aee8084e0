-- Exception that a withdrawal refunds, also after the withdrawal has ended: a reorg may let it pay after all.
ALTER TABLE payouts ADD COLUMN exception_id text REFERENCES exceptions;
UPDATE payouts SET exception_id = exception.id FROM exceptions exception WHERE exception.withdrawal_id = payouts.id;
CREATE INDEX payouts_exception ON payouts (merchant_id, exception_id) WHERE exception_id IS NOT NULL;
