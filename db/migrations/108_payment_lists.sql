-- Lists by a status or flag that few payments have, and by address, read no other payments.
CREATE INDEX payments_status ON payments (merchant_id, status, id DESC);
CREATE INDEX payments_flagged ON payments (merchant_id, id DESC) WHERE flags <> '{}';
CREATE INDEX payments_of_address ON payments (address_id, id DESC);

-- Open payments that may still count, however many a user had before.
CREATE INDEX payments_counting ON payments (network, merchant_id, user_reference, expires_at)
  WHERE amount IS NULL AND ended_at IS NULL;
DROP INDEX payments_open;
