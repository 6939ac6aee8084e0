/** Finds a merchant's control change, to read it or to decide about it. */

import { FOUR_EYES, initiatorsOf } from '../../../domain/controls/approval.js'
import type { ControlChangeKind } from '../../../domain/controls/control-change.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable } from '../../connect.js'
import type { LockSubject } from '../approvals/approval-subject.js'
import type { ControlChangeRow } from './control-change-row.js'

/** Finds a change. @throws KeyturnError `NOT_FOUND` if it is unknown, another merchant's or of another kind. */
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

/** Returns how `recordApproval` finds and locks a change. It requires two people, under every policy of payouts. */
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
  exception_resolution: 'resolution of an exception',
  period_close: 'close of a period',
  period_reopen: 're-opening of a period',
  settlement_resume: 'resumption of settlement',
}

/** Creates the error `NOT_FOUND` for a change. */
export function changeNotFound(kind: ControlChangeKind, id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', `There is no such ${NAMES[kind]}. Check the id`, { details: { id } })
}
