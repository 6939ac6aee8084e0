/** Holds what a withdrawal or a batch may cost: moves amount and fee limit from available to reserved. */

import { type Coin, findCoin, type Network, nativeCoin } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { formatAmount } from '../../domain/money.js'
import { takeOwnFunds, takeUserFunds } from '../books/balances/own-funds.js'
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
  await requireFunds(
    tx,
    request,
    request.coin,
    owner.amount,
    terms.amount + (together ? terms.fee_limit : 0n),
  )
  if (owner.fee !== null && !together) {
    await requireFunds(tx, request, feeCoin, owner.fee, terms.fee_limit)
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

/** Requires the funds: a user's own, or those on which the merchant's own account may draw. */
async function requireFunds(
  tx: Transaction,
  request: Hold,
  coin: Coin,
  owner: string,
  needed: bigint,
): Promise<void> {
  const asset = [request.merchantId, request.network.name, coin.name] as const
  const available = await (owner === '' ? takeOwnFunds(tx, ...asset) : takeUserFunds(tx, ...asset, owner))
  if (available < needed) throw insufficient(request, coin, needed, available)
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
