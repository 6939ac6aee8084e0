/** Makes the event `balance.updated` of a party of a transfer. */

import { formatAmount } from '../../../domain/money.js'
import type { BalanceUpdated } from '../../../wire/event.js'
import type { Transaction } from '../../connect.js'
import type { NewEvent } from '../../events/log/append-events.js'
import type { NewTransfer } from './transfer-row.js'

/** Makes the event, with the balances that the party has now. Call it after the journal was posted. */
export async function accountChanged(
  tx: Transaction,
  { merchantId, network, coin }: NewTransfer,
  transferId: string,
  party: string | null,
  delta: bigint,
): Promise<NewEvent> {
  const [row] = await tx<{ available: bigint; reserved: bigint }[]>`
    SELECT coalesce(-sum(balance) FILTER (WHERE kind = 'available'), 0)::numeric AS available,
           coalesce(-sum(balance) FILTER (WHERE kind = 'reserved'), 0)::numeric AS reserved
    FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network.name} AND coin = ${coin.name}
      AND kind IN ('available', 'reserved') AND owner = ${party ?? ''}`
  const whole = (units: bigint) => formatAmount(units, coin.decimals)
  const data: BalanceUpdated = {
    address_id: null,
    address: null,
    label: null,
    user_reference: party,
    network: network.name,
    coin: coin.name,
    funds: [
      { type: 'AVAILABLE', balance: whole(row?.available ?? 0n), delta: whole(delta) },
      { type: 'RESERVED', balance: whole(row?.reserved ?? 0n), delta: whole(0n) },
    ],
    deposit_id: null,
    transfer_id: transferId,
  }
  return { merchantId, type: 'balance.updated', subject: transferId, data: { ...data } }
}
