/** Reads market prices of transactions, as the chain watcher stored them. It asks no node. */

import { z } from 'zod'
import { byFamily } from '../../domain/chain/by-family.js'
import type { Network } from '../../domain/chain/network.js'
import type { Priority } from '../../domain/payouts/priority.js'
import { type FeePrice, fallbackPrice } from '../../domain/payouts/withdrawal-fee.js'
import type { Queryable } from '../connect.js'

const wei = z.union([z.string().regex(/^\d+$/), z.int().min(0)]).transform((value) => BigInt(value))
const evm = z
  .object({ max_fee_per_gas: wei, max_priority_fee_per_gas: wei, l1_fee: wei.default(0n) })
  .transform(
    (price): FeePrice => ({
      family: 'evm',
      maxFeePerGas: price.max_fee_per_gas,
      maxPriorityFeePerGas: price.max_priority_fee_per_gas,
      l1Fee: price.l1_fee,
    }),
  )
const utxo = z.coerce
  .number()
  .positive()
  .transform((rate): FeePrice => ({ family: 'utxo', rate }))

/** Returns the price of a priority, or the network's fallback if none was ever stored. */
export async function readFeePrice(sql: Queryable, network: Network, priority: Priority): Promise<FeePrice> {
  const [row] = await sql<{ price: unknown }[]>`
    SELECT fees -> ${priority} AS price FROM network_fees WHERE network = ${network.name}`
  const stored = byFamily(network, { utxo: () => utxo, evm: () => evm }).safeParse(row?.price)
  return stored.success ? stored.data : fallbackPrice(network, priority)
}
