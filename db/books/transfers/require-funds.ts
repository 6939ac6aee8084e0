/** Requires that the sender of a transfer has the amount. */

import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import type { Transaction } from '../../connect.js'
import { lockOwnFunds } from '../../payouts/take-hold.js'
import type { NewTransfer } from './transfer-row.js'

interface Funds {
  readonly own: bigint
  readonly together: bigint
  /** What the own account gave to users by transfers, less what it got back. */
  readonly given: bigint
}

/**
 * Requires the funds. A user has what is available to them. The merchant's own account may go as low as the
 * users' funds that it holds, as for withdrawals. What it gave to users on credit is no such fund: otherwise
 * each transfer would make room for the next, and users would be owed without end. So it never owes more than
 * is there.
 *
 * @throws KeyturnError `INSUFFICIENT_BALANCE`.
 */
export async function requireFunds(tx: Transaction, request: NewTransfer): Promise<void> {
  const available = request.from === null ? await ownFunds(tx, request) : await userFunds(tx, request)
  if (available < request.amount) throw insufficient(request, available)
}

async function userFunds(tx: Transaction, { merchantId, network, coin, from }: NewTransfer): Promise<bigint> {
  const [row] = await tx<{ available: bigint }[]>`
    SELECT -balance AS available FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network.name} AND coin = ${coin.name} AND kind = 'available'
      AND owner = ${from}`
  return row?.available ?? 0n
}

async function ownFunds(tx: Transaction, { merchantId, network, coin }: NewTransfer): Promise<bigint> {
  await lockOwnFunds(tx, merchantId, network.name, coin.name)
  const [row] = await tx<Funds[]>`
    SELECT coalesce(-sum(balance) FILTER (WHERE owner = ''), 0)::numeric AS own,
           coalesce(-sum(balance), 0)::numeric AS together,
           coalesce(sum(transferred_out - transferred_in) FILTER (WHERE owner = ''), 0)::numeric AS given
    FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network.name} AND coin = ${coin.name} AND kind = 'available'`
  const { own, together, given } = row ?? { own: 0n, together: 0n, given: 0n }
  const debt = own < 0n ? -own : 0n
  const onCredit = given < debt ? given : debt
  return together - (onCredit > 0n ? onCredit : 0n)
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
