/** Stores current fees of a network. */

import type { ChainAdapter, EvmAdapter, UtxoAdapter } from '../../chains/adapter.js'
import { byAdapterFamily, PRIORITY_PERCENT } from '../../chains/adapter.js'
import type { Sql } from '../../db/connect.js'
import { type NetworkFees, saveNetworkFees } from '../../db/networks/save-network-fees.js'
import type { Priority } from '../../domain/payouts/priority.js'

/** Asks the node for current fees and stores them for the API's estimates. */
export async function refreshFees(sql: Sql, adapter: ChainAdapter): Promise<void> {
  const fees = await byAdapterFamily(adapter, { utxo: utxoFees, evm: evmFees })
  await saveNetworkFees(sql, adapter.network.name, fees)
}

async function evmFees(adapter: EvmAdapter): Promise<NetworkFees> {
  return byPriority(async (priority) => {
    const fees = await adapter.fees(priority)
    return {
      max_fee_per_gas: fees.maxFeePerGas.toString(),
      max_priority_fee_per_gas: fees.maxPriorityFeePerGas.toString(),
      ...(fees.l1Fee === undefined ? {} : { l1_fee: fees.l1Fee.toString() }),
    }
  })
}

async function utxoFees(adapter: UtxoAdapter): Promise<NetworkFees> {
  return byPriority((priority) => adapter.feeRate(priority))
}

async function byPriority<T>(ask: (priority: Priority) => Promise<T>): Promise<Record<Priority, T>> {
  const priorities = Object.keys(PRIORITY_PERCENT) as Priority[]
  const answers = await Promise.all(
    priorities.map(async (priority) => [priority, await ask(priority)] as const),
  )
  return Object.fromEntries(answers) as Record<Priority, T>
}
