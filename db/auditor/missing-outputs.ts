/** Finds outputs that the auditor read from the chain, with their blocks. */

import type { Queryable } from '../connect.js'

/** Returns the blocks that pay an address by outputs which the books do not hold, in their order. */
export async function blocksOfMissingOutputs(
  sql: Queryable,
  network: string,
  addressId: string,
  most: number,
): Promise<number[]> {
  const rows = await sql<{ height: bigint }[]>`
    SELECT DISTINCT height FROM audited_outputs output
    WHERE network = ${network} AND address_id = ${addressId}
      AND merchant_id = (SELECT merchant_id FROM addresses WHERE id = ${addressId})
      AND NOT EXISTS (
        SELECT FROM utxos WHERE network = output.network AND txid = output.txid AND vout = output.vout
          AND block_number IS NOT NULL)
    ORDER BY height LIMIT ${most}`
  return rows.map((row) => Number(row.height))
}
