/** Finds a merchant's change of its controls, to read it or to decide about it. */

import { FOUR_EYES, initiatorsOf } from '../../../domain/controls/approval.js'
import type { ControlChangeKind } from '../../../domain/controls/control-change.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable } from '../../connect.js'
import type { LockSubject } from '../approvals/approval-subject.js'
import type { ControlChangeRow } from './control-change-row.js'

/** @throws KeyturnError `NOT_FOUND`, also for another merchant's or another kind's. */
export async function findControlChange<Kind extends ControlChangeKind>(
  sql: Queryable,
  kind: Kind,
  merchantId: string,
  id: string,
): Promise<Extract<ControlChangeRow, { kind: Kind }>> {
  const [row] = await sql<Extract<ControlChangeRow, { kind: Kind }>[]>`
    SELECT * FROM control_changes WHERE id = ${id} AND merchant_id = ${merchantId} AND kind = ${kind}`
  if (!row) throw changeNotFound(kind, id)
  return row
}

/** How `recordApproval` finds and locks a change: always two people, whatever the policy says about payments. */
export function lockChangeSubject(kind: ControlChangeKind): LockSubject {
  return async (tx, merchantId, id) => {
    const [row] = await tx<ControlChangeRow[]>`
      SELECT * FROM control_changes WHERE id = ${id} AND merchant_id = ${merchantId} AND kind = ${kind} FOR UPDATE`
    if (!row) throw changeNotFound(kind, id)
    return {
      type: kind,
      id: row.id,
      intentHash: row.intent_hash,
      initiators: initiatorsOf(row),
      requirement: FOUR_EYES,
      open: row.state === 'pending_approval',
      state: row.state,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
    }
  }
}

const NAMES: Readonly<Record<ControlChangeKind, string>> = {
  policy: 'change of the policy',
  whitelist: 'whitelist entry',
  deposit_release: 'release of a deposit',
}

/** `NOT_FOUND` for a change. */
export function changeNotFound(kind: ControlChangeKind, id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', `There is no such ${NAMES[kind]}; check the id`, { details: { id } })
}
