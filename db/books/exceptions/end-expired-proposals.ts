/** Ends proposals whose time is over and whose workflows have not ended them yet, so that they block nothing. */

import { assertNever } from '../../../domain/assert-never.js'
import { FOUR_EYES } from '../../../domain/controls/approval.js'
import type { Transaction } from '../../connect.js'
import { decideSubject } from '../../controls/approvals/decide-subject.js'
import type { ExceptionResolutionRow } from '../../controls/changes/control-change-row.js'
import { moveControlChange } from '../../controls/changes/move-control-change.js'
import { lockKnown } from './change-exception.js'

const ACTOR = 'system:controls'

/**
 * Ends the expired proposals of these exceptions. One that was approved in time stays for its workflow, which books
 * it. Call it before the exceptions are locked, because an approval locks its request first.
 */
export async function endExpiredProposals(
  tx: Transaction,
  merchantId: string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return
  const now = new Date()
  const open = await tx<ExceptionResolutionRow[]>`
    SELECT * FROM control_changes
    WHERE kind = 'exception_resolution' AND state = 'pending_approval' AND intent ->> 'exception' = ANY (${[...ids]})
      AND merchant_id = ${merchantId} AND expires_at <= ${now}
    ORDER BY id FOR UPDATE`
  // All of them in one order, because each proposal that ends locks its exception.
  if (open.length > 0) await lockKnown(tx, merchantId, ids)
  for (const row of open) {
    const verdict = await decideSubject(tx, row, { requirement: FOUR_EYES, mayApprove: true, now })
    switch (verdict.kind) {
      case 'waiting':
      case 'approved':
        break
      case 'rejected':
        await moveControlChange(tx, row, { to: 'rejected', at: now, actor: verdict.actor })
        break
      case 'expired':
        await moveControlChange(tx, row, { to: 'expired', at: now, actor: ACTOR })
        break
      default:
        assertNever(verdict)
    }
  }
}
