/** Stores current prices of transactions, so that the API estimates fees without asking a node. */

import type { Priority } from '../../domain/payouts/priority.js'
import { json, type Queryable } from '../connect.js'

/** Prices by priority. UTXO networks: sat/vB. EVM networks: wei, as decimal strings. */
export type NetworkFees =
  | Readonly<Record<Priority, number>>
  | Readonly<
      Record<
        Priority,
        {
          readonly max_fee_per_gas: string
          readonly max_priority_fee_per_gas: string
          readonly l1_fee?: string
        }
      >
    >

/** Replaces the prices of a network. */
export async function saveNetworkFees(sql: Queryable, network: string, fees: NetworkFees): Promise<void> {
  await sql`
    INSERT INTO network_fees (network, fees, updated_at) VALUES (${network}, ${json(sql, fees)}, clock_timestamp())
    ON CONFLICT (network) DO UPDATE SET fees = excluded.fees, updated_at = excluded.updated_at`
}
