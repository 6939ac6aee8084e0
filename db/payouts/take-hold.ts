/** Holds what a withdrawal or a batch may cost: moves amount and fee limit from available to reserved. */

import { type Coin, findCoin, type Network, nativeCoin } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { formatAmount } from '../../domain/money.js'
import { takeFunds } from '../books/balances/own-funds.js'
import { postJournal } from '../books/ledger/post-journal.js'
import type { Transaction } from '../connect.js'
import { holders, holdJournal } from './withdrawal-journals.js'

export interface Hold {
  readonly id: string
  readonly merchantId: string
  readonly network: Network
  readonly coin: Coin
  /** Base units of the coin. */
  readonly amount: bigint
  /** Amount as it was sent, in whole coins, which an error repeats. */
  readonly amountText?: string
  /** Base units of the network's native coin. */
  readonly feeLimit: bigint
  readonly feePayer: 'sender' | 'recipient'
  readonly userReference: string | null
}

/**
 * Checks that the funds are there, then holds them. For users' money the ledger's own check has the last
 * word.
 *
 * @throws KeyturnError `INSUFFICIENT_BALANCE`.
 */
export async function takeHold(tx: Transaction, request: Hold): Promise<void> {
  const feeCoin = nativeCoin(request.network)
  const terms = {
    id: request.id,
    merchant_id: request.merchantId,
    network: request.network.name,
    coin: request.coin.name,
    amount: request.amount,
    fee_coin: feeCoin.name,
    fee_limit: request.feeLimit,
    fee_payer: request.feePayer,
    user_reference: request.userReference,
  }
  const owner = holders(terms)
  const together = owner.fee !== null && terms.coin === terms.fee_coin
  const needs = [
    { coin: request.coin, owner: owner.amount, needed: terms.amount + (together ? terms.fee_limit : 0n) },
  ]
  if (owner.fee !== null && !together)
    needs.push({ coin: feeCoin, owner: owner.fee, needed: terms.fee_limit })
  const funds = await takeFunds(
    tx,
    request.merchantId,
    needs.map((need) => ({ network: terms.network, coin: need.coin.name, owner: need.owner })),
  )
  for (const [index, { coin, needed }] of needs.entries()) {
    const available = funds[index] ?? 0n
    if (available < needed) throw insufficient(request, coin, needed, available)
  }
  try {
    await postJournal(tx, holdJournal(terms))
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'INSUFFICIENT_BALANCE') {
      const { requested, available, coin } = error.details as Record<string, string>
      const known = findCoin(request.network, coin ?? request.coin.name)
      throw insufficient(request, known, BigInt(requested ?? 0), BigInt(available ?? 0), error)
    }
    throw error
  }
}

function insufficient(
  request: Hold,
  coin: Coin,
  requested: bigint,
  available: bigint,
  cause?: unknown,
): KeyturnError {
  const asSent = coin.name === request.coin.name && requested === request.amount && request.amountText
  return new KeyturnError(
    'INSUFFICIENT_BALANCE',
    'Insufficient balance for withdrawal; the amount and the most that the fee may be are held together',
    {
      details: {
        requested: asSent || formatAmount(requested, coin.decimals),
        available: formatAmount(available > 0n ? available : 0n, coin.decimals),
        coin: coin.name,
      },
      ...(cause === undefined ? {} : { cause }),
    },
  )
}
