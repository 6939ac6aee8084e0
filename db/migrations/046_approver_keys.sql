-- One key is one person's: a key that stood for two would be two approvals by one hand. What is registered already stays; people
-- take it out. A person may register again a key of their own that was revoked.

CREATE FUNCTION refuse_shared_approver_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Two registrations of one key at once would not see each other.
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.merchant_id || encode(NEW.ed25519_public_key, 'hex'), 0));
  IF EXISTS (
    SELECT FROM approvers
    WHERE merchant_id = NEW.merchant_id AND ed25519_public_key = NEW.ed25519_public_key
      AND (person_id <> NEW.person_id OR revoked_at IS NULL)) THEN
    RAISE EXCEPTION 'this key is registered already' USING ERRCODE = 'KT007';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER approver_key_is_not_shared BEFORE INSERT ON approvers FOR EACH ROW EXECUTE FUNCTION refuse_shared_approver_key();
CREATE INDEX approvers_key ON approvers (merchant_id, ed25519_public_key);
