/** Makes the event `balance.updated` of a party whose balance changed on the books alone. */

import { formatAmount } from '../../../domain/money.js'
import type { BalanceUpdated } from '../../../wire/event.js'
import type { Transaction } from '../../connect.js'
import type { NewEvent } from '../../events/log/append-events.js'

/** A change of what a party has. */
export interface BalanceChange {
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  readonly decimals: number
  /** User. `null`: the merchant's own account. */
  readonly party: string | null
  /** Base units by which each balance changed. */
  readonly available: bigint
  readonly reserved: bigint
  /** Id of the object that caused it. */
  readonly subject: string
  /** Absent unless a transfer caused it. */
  readonly transferId?: string
}

/** Makes the event, with the balances that the party has now. Call it after the journal was posted. */
export async function balanceChanged(tx: Transaction, change: BalanceChange): Promise<NewEvent> {
  const { merchantId, network, coin, decimals, party, subject } = change
  const [row] = await tx<{ available: bigint; reserved: bigint }[]>`
    SELECT coalesce(-sum(balance) FILTER (WHERE kind = 'available'), 0)::numeric AS available,
           coalesce(-sum(balance) FILTER (WHERE kind = 'reserved'), 0)::numeric AS reserved
    FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network} AND coin = ${coin}
      AND kind IN ('available', 'reserved') AND owner = ${party ?? ''}`
  const whole = (units: bigint) => formatAmount(units, decimals)
  const data: BalanceUpdated = {
    address_id: null,
    address: null,
    label: null,
    user_reference: party,
    network,
    coin,
    funds: [
      { type: 'AVAILABLE', balance: whole(row?.available ?? 0n), delta: whole(change.available) },
      { type: 'RESERVED', balance: whole(row?.reserved ?? 0n), delta: whole(change.reserved) },
    ],
    deposit_id: null,
    ...(change.transferId === undefined ? {} : { transfer_id: change.transferId }),
  }
  return { merchantId, type: 'balance.updated', subject, data: { ...data } }
}
