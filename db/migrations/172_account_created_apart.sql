-- An index that begins with the merchant alone was taken for finding one account by all of its names, and then every
-- posting read all accounts of the merchant. This one serves only a query that asks for it.
DROP INDEX ledger_accounts_created;
CREATE INDEX ledger_accounts_created ON ledger_accounts ((merchant_id || ''), created_at);
