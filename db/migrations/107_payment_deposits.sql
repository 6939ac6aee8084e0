-- Whether the deposit was recorded after its payment had ended, although it was seen before.
ALTER TABLE deposits ADD COLUMN after_end boolean NOT NULL DEFAULT false;

-- The newest deposits of a payment, without reading all of them.
CREATE INDEX deposits_payment_newest ON deposits (payment_id, id) WHERE payment_id IS NOT NULL;
DROP INDEX deposits_payment;
