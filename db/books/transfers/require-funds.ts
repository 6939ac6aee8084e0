/** Requires that the sender of a transfer has the amount. */

import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import type { Transaction } from '../../connect.js'
import { readUserFunds, takeOwnFunds } from '../balances/own-funds.js'
import type { NewTransfer } from './transfer-row.js'

/**
 * Requires the funds. A user has what is available to them. The merchant's own account has what it has for
 * withdrawals. A transfer between users moves nothing out of what the users have together, so it needs no lock.
 *
 * @throws KeyturnError `INSUFFICIENT_BALANCE`.
 */
export async function requireFunds(tx: Transaction, request: NewTransfer): Promise<void> {
  const { merchantId, network, coin, from } = request
  const asset = [merchantId, network.name, coin.name] as const
  const available = await (from === null ? takeOwnFunds(tx, ...asset) : readUserFunds(tx, ...asset, from))
  if (available < request.amount) throw insufficient(request, available)
}

/** Returns the error of a sender who has too little. */
export function insufficient(
  { coin, amountText }: Pick<NewTransfer, 'coin' | 'amountText'>,
  available: bigint,
  cause?: unknown,
): KeyturnError {
  return new KeyturnError(
    'INSUFFICIENT_BALANCE',
    'Insufficient balance for this transfer; send at most what is available',
    {
      details: {
        requested: amountText,
        available: formatAmount(available > 0n ? available : 0n, coin.decimals),
        coin: coin.name,
      },
      ...(cause === undefined ? {} : { cause }),
    },
  )
}
