/** Reads up to which block the reconciliation of a close must compare. */

import type { Queryable } from '../../connect.js'

/** Returns the height of a network's block in the proof of the close that waits for the run. `null` if none does. */
export async function readProofHeight(
  sql: Queryable,
  run: { readonly id: string; readonly merchant_id: string },
  network: string,
): Promise<number | null> {
  const [row] = await sql<{ height: number }[]>`
    SELECT (block ->> 'block_number')::int AS height
    FROM periods, jsonb_array_elements(periods.proof) AS block
    WHERE periods.merchant_id = ${run.merchant_id} AND periods.run_id = ${run.id} AND block ->> 'network' = ${network}`
  return row?.height ?? null
}
