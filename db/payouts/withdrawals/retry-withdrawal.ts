/**
 * Tries a withdrawal again: wakes one that waits, and requests one again that failed and is proven unpaid.
 */

import { assertNever } from '../../../domain/assert-never.js'
import { findCoin, findNetwork, type Networks } from '../../../domain/chain/network.js'
import { initiatorsOf } from '../../../domain/controls/approval.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Priority } from '../../../domain/payouts/priority.js'
import { isWithdrawalFinal } from '../../../domain/payouts/withdrawal-stage.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Transaction } from '../../connect.js'
import { abandonAttempt } from '../attempts/abandon-attempt.js'
import { movePayout } from '../move-payout.js'
import type { PayoutRow } from '../payout-row.js'
import { proveUnpaid } from '../prove-unpaid.js'
import { createWithdrawal, type NewWithdrawal } from './create-withdrawal.js'
import { awaitRefund, requireRetryable } from './follow-reopened-refund.js'
import { lockOwnWithdrawal } from './lock-own-withdrawal.js'

export interface Retry
  extends Pick<NewWithdrawal, 'initiator' | 'actor' | 'country' | 'expiryMs' | 'screen'> {
  readonly merchantId: string
  readonly id: string
  /** Priority. `null`: as before. */
  readonly priority: Priority | null
}

/**
 * Wakes an open withdrawal; one that is not signed yet also gets other fees inside the approved limit.
 * Requests one that ended unpaid again, with every check and approvals of its own: people approved that one,
 * and once.
 *
 * @returns The id of the withdrawal that goes on: the same, or the new one.
 * @throws KeyturnError `NOT_FOUND`; `INVALID_STATE` {stage, reason}; what `createWithdrawal` throws.
 */
export async function retryWithdrawal(tx: Transaction, networks: Networks, retry: Retry): Promise<string> {
  const row = await lockOwnWithdrawal(tx, retry)
  if (row.investigation) {
    throw refused(row, 'it is under investigation; clear that first')
  }
  if (!isWithdrawalFinal(row.stage)) {
    await wake(tx, networks, row, retry)
    return row.id
  }
  const proof = row.stage === 'confirmed' ? null : await proveUnpaid(tx, row)
  if (!proof?.proven) throw refused(row, proof?.reason ?? 'it is paid')
  const [known] = await tx<{ id: string }[]>`SELECT id FROM payouts WHERE retry_of = ${row.id}`
  if (known) throw refused(row, `it was tried again before, by ${known.id}`, { retried_by: known.id })
  const network = findNetwork(networks, row.network)
  const exception = await requireRetryable(tx, network, row)
  const {
    row: { id },
  } = await createWithdrawal(tx, networks, {
    ...retry,
    network,
    coin: findCoin(network, row.coin),
    amount: row.amount,
    ...(row.amount_text === null ? {} : { amountText: row.amount_text }),
    toAddress: row.to_address,
    fromAddressId: row.from_address_id,
    feePayer: row.fee_payer,
    priority: retry.priority ?? row.priority,
    userReference: row.user_reference,
    // The old withdrawal keeps its external_id.
    externalId: null,
    metadata: row.metadata,
    // The initiators of the old one shaped this one, too.
    coInitiators: initiatorsOf(row),
    retryOf: row.id,
    ...(exception === null ? {} : { exceptionId: exception.id }),
  })
  if (exception) await awaitRefund(tx, exception, id, retry.actor, 'refund_retried', { retry_of: row.id })
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: retry.actor,
    action: 'withdrawal.retried',
    subject: row.id,
    data: { retried_by: id, proof: proof.by },
  })
  return id
}

async function wake(tx: Transaction, networks: Networks, row: PayoutRow, retry: Retry): Promise<void> {
  const { priority, actor } = retry
  switch (row.stage) {
    case 'requested':
    case 'pending_review':
    case 'pending_approval':
      throw refused(row, 'it waits for people, not for the machine')
    case 'approved':
    case 'building':
      if (priority !== null) await setPriority(tx, row, priority)
      break
    case 'pending_signature':
      if (priority === null) break
      if (!(await abandonAttempt(tx, row.id))) {
        throw refused(row, 'the signer has it; its fees can be raised once it is sent, by speed-up')
      }
      await setPriority(tx, row, priority)
      await movePayout(tx, networks, row, { to: 'building', actor, cause: `retried by ${actor}` })
      break
    case 'signed':
    case 'broadcasting':
    case 'confirming':
    case 'confirmed':
    case 'rejected':
    case 'expired':
    case 'cancelled':
    case 'failed':
    case 'reverted':
      if (priority !== null) throw refused(row, 'it is signed; other fees are for speed-up')
      break
    default:
      assertNever(row.stage)
  }
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor,
    action: 'withdrawal.retry_requested',
    subject: row.id,
    data: { stage: row.stage, priority },
  })
}

/** Sets the priority, which is no part of what people approved. The fee limit is, and stays. */
async function setPriority(tx: Transaction, row: PayoutRow, priority: Priority): Promise<void> {
  await tx`UPDATE payouts SET priority = ${priority}, updated_at = clock_timestamp() WHERE id = ${row.id}`
}

function refused(row: PayoutRow, reason: string, details: Record<string, unknown> = {}): KeyturnError {
  return new KeyturnError('INVALID_STATE', `This withdrawal cannot be retried: ${reason}`, {
    details: { id: row.id, stage: row.stage, reason, ...details },
  })
}
