-- Who asked for something and who shaped it: none of them approves it. And which approvals met the threshold.

-- Besides `initiator`: those who changed what each firing asks for.
ALTER TABLE withdrawal_schedules ADD COLUMN co_initiators text[] NOT NULL DEFAULT '{}';
UPDATE withdrawal_schedules schedule SET co_initiators = edited.by
FROM (
  SELECT subject, array_agg(DISTINCT split_part(actor, ':', 2)) AS by FROM audit_log
  WHERE action = 'withdrawal_schedule.changed' AND data #> '{from,template}' IS DISTINCT FROM data #> '{to,template}'
  GROUP BY subject
) edited
WHERE edited.subject = schedule.id AND edited.by <> ARRAY[schedule.initiator];
UPDATE withdrawal_schedules SET co_initiators = array_remove(co_initiators, initiator);

-- Besides `initiator`: of a schedule's firing those of the schedule, of a retry those of the withdrawal that failed.
ALTER TABLE withdrawals ADD COLUMN co_initiators text[] NOT NULL DEFAULT '{}';

-- When the threshold was met with it; null: it did not, or not yet. Removing its approver later takes nothing back.
ALTER TABLE approvals ADD COLUMN counted_at timestamptz;
UPDATE approvals SET counted_at = created_at
WHERE NOT EXISTS (SELECT FROM withdrawals subject WHERE subject.id = subject_id
                  AND subject.stage IN ('requested', 'pending_review', 'pending_approval'))
  AND NOT EXISTS (SELECT FROM batches subject WHERE subject.id = subject_id
                  AND subject.stage IN ('requested', 'pending_review', 'pending_approval'))
  AND NOT EXISTS (SELECT FROM control_changes subject WHERE subject.id = subject_id AND subject.state = 'pending_approval');
-- A person decides once with each key; that a second key gives no second voice is checked under the subject's lock, because the
-- person whose key was removed decides again with the new one.
ALTER TABLE approvals DROP CONSTRAINT approvals_subject_id_person_id_key;
CREATE UNIQUE INDEX approvals_decided ON approvals (subject_id, approver_id);
