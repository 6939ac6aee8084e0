-- A merchant whose policy asks for it has the release of a held deposit approved by two people, like a change of its controls.

ALTER TABLE control_changes DROP CONSTRAINT control_changes_kind_check;
ALTER TABLE control_changes ADD CONSTRAINT control_changes_kind_check
  CHECK (kind IN ('policy', 'whitelist', 'deposit_release'));
-- One request at a time for a deposit.
CREATE UNIQUE INDEX control_changes_release ON control_changes ((intent ->> 'deposit'))
  WHERE kind = 'deposit_release' AND state = 'pending_approval';
