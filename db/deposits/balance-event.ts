/**
 * Makes the event `balance.updated` for the address of a deposit, when it is booked as reserved or becomes
 * available.
 */

import { knownCoin, type Network } from '../../domain/chain/network.js'
import { RESERVED_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import { formatAmount } from '../../domain/money.js'
import type { BalanceUpdated } from '../../wire/event.js'
import type { Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import { members } from '../members.js'
import type { DepositRow } from './deposit-row.js'

/** Change of the balances at the address by one step, in base units. */
export interface BalanceDelta {
  readonly available: bigint
  readonly blockchain: bigint
  readonly reserved: bigint
}

/**
 * Makes the event. Call it after the journals were posted and the deposits saved. At an address, `blockchain`
 * is its ledger account, `reserved` what was confirmed there and not yet credited, and `available` the rest.
 */
export async function balanceEvent(
  tx: Transaction,
  network: Network,
  deposit: DepositRow,
  delta: BalanceDelta,
): Promise<NewEvent> {
  const [row] = await tx<{ blockchain: bigint; reserved: bigint }[]>`
    SELECT
      coalesce((SELECT balance FROM ledger_accounts
                WHERE merchant_id = ${deposit.merchant_id} AND network = ${deposit.network} AND coin = ${deposit.coin}
                  AND kind = 'chain' AND owner = ${deposit.address_id}), 0) AS blockchain,
      coalesce((SELECT sum(amount) FROM deposits
                WHERE address_id = ${deposit.address_id} AND coin = ${deposit.coin}
                  AND status IN ${members(tx, RESERVED_DEPOSITS)} AND refunded_by IS NULL), 0) AS reserved`
  const blockchain = row?.blockchain ?? 0n
  const reserved = row?.reserved ?? 0n
  return balanceEventOf(network, deposit, { available: blockchain - reserved, blockchain, reserved }, delta)
}

/** As `balanceEvent`, for known balances. */
export function balanceEventOf(
  network: Network,
  deposit: DepositRow,
  balance: BalanceDelta,
  delta: BalanceDelta,
): NewEvent {
  const { decimals } = knownCoin(network, deposit.coin)
  const fund = (
    type: BalanceUpdated['funds'][number]['type'],
    of: keyof BalanceDelta,
  ): BalanceUpdated['funds'][number] => ({
    type,
    balance: formatAmount(balance[of], decimals),
    delta: formatAmount(delta[of], decimals),
  })
  const data: BalanceUpdated = {
    address_id: deposit.address_id,
    address: deposit.address,
    label: deposit.address_label,
    user_reference: deposit.user_reference,
    network: deposit.network,
    coin: deposit.coin,
    funds: [fund('AVAILABLE', 'available'), fund('BLOCKCHAIN', 'blockchain'), fund('RESERVED', 'reserved')],
    deposit_id: deposit.id,
  }
  return {
    merchantId: deposit.merchant_id,
    type: 'balance.updated',
    subject: deposit.id,
    data: { ...data },
  }
}
