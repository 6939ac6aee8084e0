/** The steps of a withdrawal that need nothing but the database: admit, approve, reject, expire, build anew. */

import { assertNever } from '../../domain/assert-never.js'
import type { Networks } from '../../domain/chain/network.js'
import { initiatorsOf, tallyApprovals } from '../../domain/controls/approval.js'
import { isMovement } from '../../domain/payouts/treasury.js'
import { inTransaction, type Sql } from '../connect.js'
import { markCounted, readDecisions } from '../controls/approvals/decisions.js'
import { abandonAttempt } from './attempts/abandon-attempt.js'
import { closeUnpaid } from './close-unpaid.js'
import { movePayout } from './move-payout.js'
import { lockWithdrawal } from './payout-row.js'

/**
 * Requested → waiting for a review or for approvals, or approved where it needs none. Every check was made
 * when it was accepted.
 */
export async function admitWithdrawal(sql: Sql, networks: Networks, id: string): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (row.stage !== 'requested') return
    const byItself = isMovement(row.kind) && row.approval_requirement.count === 0
    const waits = row.review_required ? 'pending_review' : 'pending_approval'
    await movePayout(tx, networks, row, { to: byItself ? 'approved' : waits, actor: 'system:withdrawal' })
  })
}

/**
 * Acts on the decisions that are stored: as many approvals as the row asks for → approved, one rejection →
 * rejected with the hold released. What the workflow counted is not enough: only signed rows decide, so a
 * forged signal moves nothing.
 */
export async function decideWithdrawal(sql: Sql, networks: Networks, id: string): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    // Whoever waits for a review may be rejected, but not approved.
    if (row.stage !== 'pending_approval' && row.stage !== 'pending_review') return
    const approvals = await readDecisions(tx, id)
    const intent = { hash: row.intent_hash, initiators: initiatorsOf(row) }
    const tally = tallyApprovals(approvals, intent, row.approval_requirement)
    if (tally === 'waiting' || (tally === 'approved' && row.stage === 'pending_review')) return
    const persons = approvals.map((approval) => approval.person_id)
    if (tally === 'approved') {
      await markCounted(tx, approvals)
      await movePayout(tx, networks, row, {
        to: 'approved',
        actor: 'system:withdrawal',
        cause: `approved by ${persons.join(' and ')}`,
      })
      return
    }
    const rejection = approvals.find((approval) => approval.decision === 'reject')
    await closeUnpaid(tx, networks, row, {
      to: 'rejected',
      actor: `person:${rejection?.person_id ?? 'unknown'}`,
      failure: {
        code: 'REJECTED',
        message: rejection?.reason
          ? `Rejected by an approver: ${rejection.reason}`
          : 'Rejected by an approver',
      },
    })
  })
}

/** Its time is over: expired with the hold released, unless a signer has it, which must speak first. */
export async function expireWithdrawal(sql: Sql, networks: Networks, id: string): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    switch (row.stage) {
      case 'requested':
      case 'pending_review':
      case 'pending_approval':
      case 'approved':
      case 'building':
      case 'pending_signature': {
        const waiting = row.waiting ? `; it was waiting: ${row.waiting.message}` : ''
        await closeUnpaid(tx, networks, row, {
          to: 'expired',
          actor: 'system:withdrawal',
          failure: {
            code: 'EXPIRED',
            message: `Nothing was signed until ${row.expires_at.toISOString()}${waiting}`,
          },
        })
        return
      }
      case 'signed':
      case 'broadcasting':
      case 'confirming':
      case 'confirmed':
      case 'rejected':
      case 'expired':
      case 'cancelled':
      case 'failed':
      case 'reverted':
        return
      default:
        assertNever(row.stage)
    }
  })
}

/**
 * Takes back a request that no signer has claimed, so that it is built again: at today's fees, and with the
 * sanctions list asked again.
 *
 * @param cause - Shown in `history`.
 */
export async function rebuildWithdrawal(
  sql: Sql,
  networks: Networks,
  id: string,
  cause = 'built anew: nobody had claimed it',
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (row.stage !== 'pending_signature' || !(await abandonAttempt(tx, id))) return
    await movePayout(tx, networks, row, {
      to: 'building',
      actor: 'system:withdrawal',
      cause,
    })
  })
}
