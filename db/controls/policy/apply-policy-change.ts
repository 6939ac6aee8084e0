/** Applies the approved fields of a change as a new version of the policy. */

import { applyEdits, type FieldEffect } from '../../../domain/controls/policy-change.js'
import { appendAudit } from '../../audit/append-audit.js'
import { json, type Transaction } from '../../connect.js'
import type { PolicyChangeRow } from '../changes/control-change-row.js'
import { readPolicy } from './read-policy.js'

/**
 * Applies the edits of one effect (tightening or loosening) to the present policy. It creates no version if
 * nothing changes. The change records the fields that a stricter value had already replaced.
 */
export async function applyPolicyChange(
  tx: Transaction,
  change: PolicyChangeRow,
  effect: FieldEffect,
  at: Date,
): Promise<void> {
  const { merchant_id: merchantId } = change
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`policy:${merchantId}`}, 0))`
  const current = await readPolicy(tx, merchantId)
  const { policy, applied, dropped } = applyEdits(current.policy, change.intent.changes, effect)
  if (applied.length === 0 && dropped.length === 0) return
  const version = current.version + 1
  if (applied.length > 0) {
    await tx`
      INSERT INTO policies (merchant_id, version, policy, change_id, effective_at)
      VALUES (${merchantId}, ${version}, ${json(tx, policy)}, ${change.id}, ${at})`
  }
  if (dropped.length > 0) {
    await tx`UPDATE control_changes SET superseded = superseded || ${[...dropped]}::text[] WHERE id = ${change.id}`
  }
  await appendAudit(tx, {
    merchantId,
    actor: 'system:controls',
    action: applied.length > 0 ? 'policy.changed' : 'policy.change_superseded',
    subject: change.id,
    data: {
      version: applied.length > 0 ? version : current.version,
      effect,
      changes: change.intent.changes.filter((edit) => applied.includes(edit.field)),
      superseded: dropped,
    },
  })
}
