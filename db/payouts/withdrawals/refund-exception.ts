/** Refunds what an exception concerns: by a withdrawal under all controls, which resolves it when confirmed. */

import { parseAddress } from '../../../domain/address/parse-address.js'
import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Withdrawal } from '../../../wire/withdrawal.js'
import {
  type Actor,
  auditException,
  commentException,
  type LockedException,
  lockException,
  moveException,
} from '../../books/exceptions/change-exception.js'
import { releaseHolds } from '../../books/exceptions/dispute-holds.js'
import { requireFree } from '../../books/exceptions/propose-resolution.js'
import type { Transaction } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'
import { createWithdrawal, type NewWithdrawal } from './create-withdrawal.js'

export interface ExceptionRefund
  extends Actor,
    Pick<NewWithdrawal, 'merchantId' | 'expiryMs' | 'screen' | 'country'> {
  readonly id: string
  readonly toAddress: string
  readonly comment: string
}

/**
 * Requests the withdrawal. It pays from the user's available balance, and from the merchant's own account what a
 * reviewer rejected, because that stays held. What a dispute holds is released for it. The recipient bears the fee
 * of a native coin.
 *
 * @throws KeyturnError `NOT_FOUND`, `INVALID_STATE`, `INVALID_ADDRESS` and the errors of `createWithdrawal`.
 */
export async function refundException(
  tx: Transaction,
  networks: Networks,
  refund: ExceptionRefund,
): Promise<{ readonly view: Withdrawal; readonly row: PayoutRow }> {
  const row = await lockException(tx, refund.merchantId, refund.id)
  await requireFree(tx, row)
  const owed = await owedBy(tx, row)
  const network = findNetwork(networks, owed.network)
  const coin = knownCoin(network, owed.coin)
  const { address } = parseAddress(network, refund.toAddress)
  await releaseHolds(tx, row)
  const { country } = refund
  const created = await createWithdrawal(tx, networks, {
    merchantId: refund.merchantId,
    network,
    coin,
    amount: owed.amount,
    toAddress: address,
    fromAddressId: null,
    feePayer: coin.contract === null ? 'recipient' : 'sender',
    priority: 'normal',
    userReference: row.kind === 'rejected_deposit' ? null : owed.userReference,
    externalId: null,
    metadata: { exception_id: row.id },
    initiator: refund.by,
    actor: refund.actor,
    ...(country === undefined ? {} : { country }),
    expiryMs: refund.expiryMs,
    ...(refund.screen === undefined ? {} : { screen: refund.screen }),
  })
  await tx`
    UPDATE exceptions SET withdrawal_id = ${created.row.id}, updated_at = clock_timestamp() WHERE id = ${row.id}`
  await commentException(tx, row, refund.comment, refund)
  await auditException(tx, row, refund, 'refund_requested', {
    withdrawal_id: created.row.id,
    to_address: address,
    amount: created.view.amount,
    coin: coin.name,
  })
  if (row.status === 'open')
    await moveException(tx, row, 'in_progress', refund, `Refunded by ${created.row.id}`)
  return created
}

interface Owed {
  readonly network: string
  readonly coin: string
  /** Base units. */
  readonly amount: bigint
  readonly userReference: string | null
}

/** Returns what is paid back: the deposit that the exception names, or what was credited for its payment. */
async function owedBy(tx: Transaction, row: LockedException): Promise<Owed> {
  const { deposit_id: named } = row.evidence
  const depositId = row.subject_type === 'deposit' ? row.subject_id : typeof named === 'string' ? named : null
  const [deposit] = await tx<(Owed & { user_reference: string | null })[]>`
    SELECT network, coin, amount, user_reference FROM deposits
    WHERE id = ${depositId} AND merchant_id = ${row.merchant_id}`
  if (deposit) return { ...deposit, userReference: deposit.user_reference }
  const [payment] = await tx<(Owed & { user_reference: string; due: bigint | null })[]>`
    SELECT network, coin, amount_confirmed AS amount, user_reference, payments.amount AS due FROM payments
    WHERE id = ${row.payment_id} AND merchant_id = ${row.merchant_id}`
  if (!payment || payment.amount === 0n) {
    throw new KeyturnError(
      'INVALID_STATE',
      'This exception names no deposit or payment whose amount was credited, so there is nothing to refund',
      { details: { id: row.id, subject: { type: row.subject_type, id: row.subject_id } } },
    )
  }
  const { due } = payment
  const isTooMuch = row.kind === 'wrong_amount' && due !== null && payment.amount > due
  return {
    network: payment.network,
    coin: payment.coin,
    amount: isTooMuch ? payment.amount - due : payment.amount,
    userReference: payment.user_reference,
  }
}
