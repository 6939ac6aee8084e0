-- Each filter of the list of payments reads the rows that it shows, also if few payments have what it asks for.
CREATE INDEX payments_rail ON payments (merchant_id, network, coin, id DESC);
CREATE INDEX payments_created ON payments (merchant_id, created_at DESC, id DESC);

-- One index a flag: a flag that many payments have does not hide one that few have.
CREATE INDEX payments_underpaid ON payments (merchant_id, id DESC) WHERE 'underpaid' = ANY (flags);
CREATE INDEX payments_overpaid ON payments (merchant_id, id DESC) WHERE 'overpaid' = ANY (flags);
CREATE INDEX payments_late ON payments (merchant_id, id DESC) WHERE 'late' = ANY (flags);
CREATE INDEX payments_reorged ON payments (merchant_id, id DESC) WHERE 'reorged' = ANY (flags);
CREATE INDEX payments_multiple_deposits ON payments (merchant_id, id DESC) WHERE 'multiple_deposits' = ANY (flags);
CREATE INDEX payments_wrong_coin ON payments (merchant_id, id DESC) WHERE 'wrong_coin' = ANY (flags);
CREATE INDEX payments_reissued ON payments (merchant_id, id DESC) WHERE 'reissued' = ANY (flags);
DROP INDEX payments_flagged;
