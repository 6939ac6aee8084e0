-- A change of the policy of which something was overtaken does not hold entirely, and says so.

ALTER TABLE control_changes DROP CONSTRAINT control_changes_state_check;
ALTER TABLE control_changes ADD CONSTRAINT control_changes_state_check
  CHECK (state IN ('pending_approval', 'cooling_down', 'effective', 'superseded', 'rejected', 'expired', 'revoked'));
-- The fields that stayed as they were, because something stricter had taken their place.
ALTER TABLE control_changes ADD COLUMN superseded text[] NOT NULL DEFAULT '{}';
UPDATE control_changes change SET
  superseded = noted.fields, state = CASE WHEN change.state = 'effective' THEN 'superseded' ELSE change.state END
FROM (
  SELECT subject, array_agg(DISTINCT field) AS fields
  FROM audit_log, jsonb_array_elements_text(data -> 'superseded') AS field
  WHERE action IN ('policy.changed', 'policy.change_superseded')
  GROUP BY subject
) noted
WHERE noted.subject = change.id;
