-- The platform's own operator. Its keys, its requests and its audit log stand under an id of their own beside those of the
-- merchants; the row is made with its first key. It has no rail, so it has no addresses and no money.

-- No key of a merchant can have the scope `operator`, and a key of the operator has no other.
ALTER TABLE api_keys ADD CONSTRAINT api_keys_operator CHECK (
  CASE WHEN merchant_id = 'operator' THEN scopes = ARRAY['operator'] ELSE NOT 'operator' = ANY (scopes) END);
