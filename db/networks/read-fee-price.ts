/** Market prices of transactions, as the chain watcher left them; no node is asked. */

import { z } from 'zod'
import type { Network } from '../../domain/chain/network.js'
import type { Priority } from '../../domain/payouts/priority.js'
import { type FeePrice, fallbackPrice } from '../../domain/payouts/withdrawal-fee.js'
import type { Queryable } from '../connect.js'

const wei = z.union([z.string().regex(/^\d+$/), z.int().min(0)]).transform((value) => BigInt(value))
const evm = z.object({ max_fee_per_gas: wei, max_priority_fee_per_gas: wei, l1_fee: wei.default(0n) })
const utxo = z.coerce.number().positive()

/** The price of a priority; the network's fallback where none was ever seen. */
export async function readFeePrice(sql: Queryable, network: Network, priority: Priority): Promise<FeePrice> {
  const [row] = await sql<{ price: unknown }[]>`
    SELECT fees -> ${priority} AS price FROM network_fees WHERE network = ${network.name}`
  if (network.family === 'evm') {
    const parsed = evm.safeParse(row?.price)
    if (!parsed.success) return fallbackPrice(network, priority)
    const {
      max_fee_per_gas: maxFeePerGas,
      max_priority_fee_per_gas: maxPriorityFeePerGas,
      l1_fee: l1Fee,
    } = parsed.data
    return { family: 'evm', maxFeePerGas, maxPriorityFeePerGas, l1Fee }
  }
  const parsed = utxo.safeParse(row?.price)
  return parsed.success ? { family: 'utxo', rate: parsed.data } : fallbackPrice(network, priority)
}
