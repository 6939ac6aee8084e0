/** Requires that the sender of a transfer has the amount. */

import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import type { Transaction } from '../../connect.js'
import { takeOwnFunds } from '../balances/own-funds.js'
import type { NewTransfer } from './transfer-row.js'

/**
 * Requires the funds. A user has what is available to them. The merchant's own account has what it has for
 * withdrawals. A transfer between users moves nothing out of what the users have together, so it needs no lock.
 *
 * @throws KeyturnError `INSUFFICIENT_BALANCE`.
 */
export async function requireFunds(tx: Transaction, request: NewTransfer): Promise<void> {
  const { merchantId, network, coin, from } = request
  const available =
    from === null
      ? await takeOwnFunds(tx, merchantId, network.name, coin.name)
      : await readUserFunds(tx, request, from)
  if (available < request.amount) throw insufficient(request, available)
}

async function readUserFunds(
  tx: Transaction,
  { merchantId, network, coin }: NewTransfer,
  owner: string,
): Promise<bigint> {
  const [row] = await tx<{ available: bigint }[]>`
    SELECT -balance AS available FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network.name} AND coin = ${coin.name} AND kind = 'available'
      AND owner = ${owner}`
  return row?.available ?? 0n
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
