/**
 * Releases the hold of a withdrawal by a person's decision, when it is proven that nothing was or can be
 * paid.
 */

import type { Networks } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { isWithdrawalFinal } from '../../../domain/payouts/withdrawal-stage.js'
import { postJournal } from '../../books/ledger/post-journal.js'
import type { Transaction } from '../../connect.js'
import { excludeAttempts } from '../attempts/exclude-attempts.js'
import { closeUnpaid } from '../close-unpaid.js'
import { movePayout } from '../move-payout.js'
import type { PayoutRow } from '../payout-row.js'
import { proveUnpaid } from '../prove-unpaid.js'
import { releaseJournal } from '../withdrawal-journals.js'
import { type Decider, lockOwnWithdrawal } from './lock-own-withdrawal.js'
import { requireReviewer } from './require-reviewer.js'

/**
 * Ends the withdrawal and releases its hold.
 *
 * @throws KeyturnError `NOT_AN_APPROVER`, `NOT_FOUND`; `INVALID_STATE` {stage, reason} when nothing is held,
 * or when it is not proven unpaid.
 */
export async function refundWithdrawal(
  tx: Transaction,
  networks: Networks,
  decider: Decider & { readonly reason: string },
): Promise<void> {
  await requireReviewer(tx, decider)
  const row = await lockOwnWithdrawal(tx, decider)
  if (isWithdrawalFinal(row.stage)) {
    throw refused(row, `it ended (${row.stage}), and nothing of it is held any more`)
  }
  const proof = await proveUnpaid(tx, row)
  if (!proof.proven) throw refused(row, proof.reason)
  const end = {
    actor: decider.actor,
    cause: `refunded by ${decider.actor}: ${decider.reason}`,
    failure: { code: 'REFUNDED', message: `Refunded by an operator: ${decider.reason}` },
    audit: { proof: proof.by, reason: decider.reason },
  }
  if (proof.by === 'nothing_signed') {
    if (await closeUnpaid(tx, networks, row, { ...end, to: 'cancelled' })) return
    throw refused(row, 'it moved on meanwhile; look again')
  }
  await excludeAttempts(tx, row.id)
  await postJournal(tx, releaseJournal(row))
  await movePayout(tx, networks, row, { ...end, to: 'failed' })
}

function refused(row: PayoutRow, reason: string): KeyturnError {
  return new KeyturnError('INVALID_STATE', `This withdrawal cannot be refunded: ${reason}`, {
    details: { id: row.id, stage: row.stage, reason },
  })
}
