/** Stores a control change that waits for its approvals. */

import { type AnyIntent, type Intent, intentHash } from '../../../domain/controls/intent.js'
import { appendAudit } from '../../audit/append-audit.js'
import { json, type Transaction } from '../../connect.js'

export interface NewControlChange {
  readonly id: string
  readonly intent: Exclude<AnyIntent, Intent>
  /** Actor for the audit log. */
  readonly actor: string
  readonly coolDownMs: number
}

/** Inserts the row with its frozen intent and appends the audit entry. */
export async function insertControlChange(tx: Transaction, change: NewControlChange): Promise<void> {
  const { id, intent, actor } = change
  const hash = intentHash(intent)
  const history = [{ state: 'pending_approval', at: intent.created_at, cause: actor }]
  await tx`
    INSERT INTO control_changes (id, merchant_id, kind, state, intent, intent_hash, initiator, cool_down_ms, history,
                                 expires_at, created_at, updated_at)
    VALUES (${id}, ${intent.merchant}, ${intent.kind}, 'pending_approval', ${json(tx, intent)}, ${hash},
            ${intent.initiator}, ${change.coolDownMs}, ${json(tx, history)}, ${intent.expires_at},
            ${intent.created_at}, ${intent.created_at})`
  await appendAudit(tx, {
    merchantId: intent.merchant,
    actor,
    action: `${intent.kind}.change_requested`,
    subject: id,
    data: { intent, intent_hash: hash },
  })
}
