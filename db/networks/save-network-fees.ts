/** Keeps what transactions cost now, so that the API estimates without asking a node. */

import type { Priority } from '../../domain/payouts/priority.js'
import { json, type Queryable } from '../connect.js'

/** UTXO networks: sat/vB by priority. EVM networks: wei, as decimal strings, by priority. */
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

/** Replaces the fees of a network. */
export async function saveNetworkFees(sql: Queryable, network: string, fees: NetworkFees): Promise<void> {
  await sql`
    INSERT INTO network_fees (network, fees, updated_at) VALUES (${network}, ${json(sql, fees)}, clock_timestamp())
    ON CONFLICT (network) DO UPDATE SET fees = excluded.fees, updated_at = excluded.updated_at`
}
