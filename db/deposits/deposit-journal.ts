/**
 * Makes the journals of a deposit. Their keys are deposit, epoch and step, so that each step of each mining
 * is booked once.
 */

import type { Journal } from '../books/ledger/post-journal.js'
import type { DepositRow } from './deposit-row.js'

export type DepositStep = 'confirmed' | 'success'

/** Returns whose liability a deposit is: the user's, or the merchant's own if it arrived at a wallet. */
export const ownerOf = (deposit: Pick<DepositRow, 'user_reference'>): string => deposit.user_reference ?? ''

/**
 * Returns the journal of a step. `confirmed` books the address's chain account against reserved, `success`
 * reserved against available.
 */
export function depositJournal(deposit: DepositRow, step: DepositStep): Journal {
  const asset = { network: deposit.network, coin: deposit.coin }
  const owner = ownerOf(deposit)
  return {
    merchantId: deposit.merchant_id,
    idempotencyKey: `deposit:${deposit.id}:${deposit.epoch}:${step}`,
    type: `deposit.${step}`,
    reference: deposit.id,
    height: deposit.block_number,
    entries:
      step === 'confirmed'
        ? [
            { ...asset, kind: 'chain', owner: deposit.address_id, amount: deposit.amount },
            { ...asset, kind: 'reserved', owner, amount: -deposit.amount },
          ]
        : [
            { ...asset, kind: 'reserved', owner, amount: deposit.amount },
            { ...asset, kind: 'available', owner, amount: -deposit.amount },
          ],
  }
}
