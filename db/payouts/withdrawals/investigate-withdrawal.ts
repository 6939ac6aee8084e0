/**
 * Marks a payout for investigation: nothing of it is built or handed to a signer until a person clears it.
 */

import { KeyturnError } from '../../../domain/errors.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Transaction } from '../../connect.js'
import { notify } from '../../notices.js'
import { clearAlerts, raiseAlert } from '../../operations/alerts/raise-alert.js'
import { passOver } from '../attempts/pass-over.js'
import { type Decider, lockOwnWithdrawal } from './lock-own-withdrawal.js'
import { requireReviewer } from './require-reviewer.js'

/**
 * Sets the mark, at any stage. What is signed cannot be stopped. The mark is also the order to pass over a
 * further attempt that a signer claimed and does not answer.
 *
 * @throws KeyturnError `NOT_FOUND`, `INVALID_STATE`.
 */
export async function markForInvestigation(
  tx: Transaction,
  decider: Decider & { readonly reason: string },
): Promise<void> {
  const row = await lockOwnWithdrawal(tx, decider)
  if (row.investigation) {
    throw new KeyturnError('INVALID_STATE', 'This withdrawal is under investigation already', {
      details: { id: row.id, investigation: row.investigation },
    })
  }
  const investigation = { reason: decider.reason, by: decider.actor, at: new Date().toISOString() }
  await tx`
    UPDATE payouts SET investigation = ${tx.json(investigation)}, updated_at = clock_timestamp() WHERE id = ${row.id}`
  const facts = { stage: row.stage, reason: decider.reason, marked_by: decider.actor }
  await raiseAlert(tx, {
    merchantId: row.merchant_id,
    kind: 'withdrawal.investigation',
    severity: 'critical',
    subject: row.id,
    facts: { message: 'A withdrawal was marked for investigation', ...facts },
  })
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: decider.actor,
    action: 'withdrawal.marked_for_investigation',
    subject: row.id,
    data: facts,
  })
  await passOver(tx, row, decider.actor)
}

/**
 * Removes the mark. The payout goes on from where it was.
 *
 * @throws KeyturnError `NOT_AN_APPROVER`, `NOT_FOUND`, `INVALID_STATE`.
 */
export async function clearInvestigation(
  tx: Transaction,
  decider: Decider & { readonly reason: string },
): Promise<void> {
  await requireReviewer(tx, decider)
  const row = await lockOwnWithdrawal(tx, decider)
  if (!row.investigation) {
    throw new KeyturnError('INVALID_STATE', 'This withdrawal is not under investigation', {
      details: { id: row.id },
    })
  }
  await tx`UPDATE payouts SET investigation = NULL, waiting = NULL, updated_at = clock_timestamp() WHERE id = ${row.id}`
  await clearAlerts(tx, row.merchant_id, 'withdrawal.investigation', [row.id])
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: decider.actor,
    action: 'withdrawal.investigation_cleared',
    subject: row.id,
    data: { investigation: row.investigation, reason: decider.reason },
  })
  const signers = await tx<{ signer_id: string }[]>`
    SELECT signer_id FROM signing_requests WHERE payout_id = ${row.id} AND state = 'queued'`
  for (const { signer_id } of signers) await notify(tx, 'signing_request', signer_id)
}
