/** Refunds what an exception concerns: by a withdrawal under all controls, which resolves it when confirmed. */

import { parseAddress } from '../../../domain/address/parse-address.js'
import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import type { Withdrawal } from '../../../wire/withdrawal.js'
import {
  type Actor,
  commentException,
  lockException,
  proposeRootCause,
} from '../../books/exceptions/change-exception.js'
import { endExpiredProposals } from '../../books/exceptions/end-expired-proposals.js'
import { requireFree } from '../../books/exceptions/propose-resolution.js'
import type { Transaction } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'
import { createWithdrawal, type NewWithdrawal } from './create-withdrawal.js'
import { findOwed } from './find-owed.js'
import { awaitRefund } from './follow-reopened-refund.js'
import { freeForRefund } from './free-for-refund.js'
import { lockRefunds, requireUnrefunded } from './other-refunds.js'

export interface ExceptionRefund
  extends Actor,
    Pick<NewWithdrawal, 'merchantId' | 'expiryMs' | 'screen' | 'country'> {
  readonly id: string
  readonly toAddress: string
  readonly comment: string
  /** Why it happened, which the exception gets once the refund is confirmed. `null`: not given. */
  readonly rootCause: string | null
}

/**
 * Requests the withdrawal. It pays from the user's available balance, and from the merchant's own account what a
 * reviewer rejected, because that stays held. What a dispute holds of that coin is released for it. The recipient bears the fee
 * of a native coin.
 *
 * @throws KeyturnError `NOT_FOUND`, `INVALID_STATE`, `INVALID_ADDRESS` and the errors of `createWithdrawal`.
 */
export async function refundException(
  tx: Transaction,
  networks: Networks,
  refund: ExceptionRefund,
): Promise<{ readonly view: Withdrawal; readonly row: PayoutRow }> {
  await lockRefunds(tx, refund.merchantId)
  await endExpiredProposals(tx, refund.merchantId, [refund.id])
  const row = await lockException(tx, refund.merchantId, refund.id)
  await requireFree(tx, row)
  await requireUnrefunded(tx, row)
  const owed = await findOwed(tx, row)
  const network = findNetwork(networks, owed.network)
  const coin = knownCoin(network, owed.coin)
  const { address } = parseAddress(network, refund.toAddress)
  await freeForRefund(tx, row, network, owed)
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
    userReference: owed.userReference,
    externalId: null,
    metadata: { exception_id: row.id },
    exceptionId: row.id,
    initiator: refund.by,
    actor: refund.actor,
    ...(country === undefined ? {} : { country }),
    expiryMs: refund.expiryMs,
    ...(refund.screen === undefined ? {} : { screen: refund.screen }),
  })
  await commentException(tx, row, refund.comment, refund)
  await proposeRootCause(tx, row, refund.rootCause)
  await awaitRefund(tx, row, created.row.id, refund.actor, 'refund_requested', {
    to_address: address,
    amount: created.view.amount,
    coin: coin.name,
  })
  return created
}
