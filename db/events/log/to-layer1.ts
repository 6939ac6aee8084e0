/** Writes events in the layer1 format, with its names, envelope and fields. */

import type { AmountAtAddress, Deposit } from '../../../wire/deposit.js'
import type { BalanceUpdated, EventEnvelope } from '../../../wire/event.js'

/** Least number of decimal places of the layer1 format: `0.20`. */
const MIN_DECIMALS = 2

/**
 * Writes an event in the layer1 format.
 *
 * @param event - Event whose `data` is a `Deposit` (`deposit.status_changed`) or a `BalanceUpdated`
 * (`balance.updated`).
 * @returns The whole body as a plain object, with the fields in the order of the format's examples. `null` if
 * the format has no such event, or if `data` does not have that shape.
 */
export function toLayer1(
  event: Pick<EventEnvelope, 'event' | 'timestamp' | 'data'>,
): Record<string, unknown> | null {
  try {
    switch (event.event) {
      case 'deposit.status_changed':
        return {
          event: 'layer1:digital:deposit:status-change',
          timestamp: event.timestamp,
          data: depositData(event.data as unknown as Deposit),
        }
      case 'balance.updated':
        // The format knows balances of addresses alone, and a transfer has none.
        if (event.data.address_id === null) return null
        return {
          event: 'layer1:digital:balance:updated',
          timestamp: event.timestamp,
          data: balanceData(event.data as unknown as BalanceUpdated),
        }
      default:
        return null
    }
  } catch (error) {
    // The data does not have the shape of its type. One such event must not keep the others from being
    // sealed.
    if (error instanceof TypeError) return null
    throw error
  }
}

function depositData(deposit: Deposit): Record<string, unknown> {
  const networkDetail = detail(deposit)
  return {
    id: deposit.id,
    hash: deposit.transaction_hash,
    type: 'DEPOSIT',
    asset: deposit.coin.toUpperCase(),
    amount: money(deposit.amount),
    status: deposit.status.toUpperCase(),
    address: {
      id: deposit.address.id,
      address: deposit.address.address,
      network: constant(deposit.address.network),
      keyPairId: deposit.address.key_pair_id,
      reference: deposit.address.label,
      customerId: deposit.user_reference,
      assetPoolId: deposit.address.asset_pool_id,
    },
    sources: deposit.sources.map(amountAtAddress),
    createdAt: deposit.detected_at,
    updatedAt: deposit.updated_at,
    destinations: deposit.destinations.map(amountAtAddress),
    ...(networkDetail === null ? {} : { networkDetail }),
  }
}

/** Returns block and fee. `null` until the deposit is in a block. The fee is absent if it is not known. */
function detail(deposit: Deposit): Record<string, unknown> | null {
  if (deposit.block_number === null) return null
  return {
    ...(deposit.fee === null
      ? {}
      : { fee: { asset: deposit.fee.coin.toUpperCase(), amount: money(deposit.fee.amount) } }),
    block: {
      number: deposit.block_number,
      ...(deposit.block_time === null ? {} : { timestamp: deposit.block_time }),
    },
  }
}

function balanceData(balance: BalanceUpdated): Record<string, unknown> {
  return {
    reference: balance.label,
    address: balance.address,
    asset: balance.coin.toUpperCase(),
    funds: balance.funds.map((fund) => ({
      type: fund.type,
      balance: money(fund.balance),
      delta: money(fund.delta),
    })),
  }
}

function amountAtAddress(entry: AmountAtAddress): Record<string, unknown> {
  return { amount: money(entry.amount), address: entry.address }
}

/** Pads an amount: `0.2` → `0.20`, `5` → `5.00`. Longer fractions stay exact. */
function money(amount: string): string {
  const [whole = '0', fraction = ''] = amount.split('.')
  return `${whole}.${fraction.padEnd(MIN_DECIMALS, '0')}`
}

/** Returns a name as a constant: `bitcoin-cash` → `BITCOIN_CASH`. */
function constant(name: string): string {
  return name.toUpperCase().replaceAll('-', '_')
}
