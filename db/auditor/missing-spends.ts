/** Finds blocks that spend outputs which the books hold as unspent, by the auditor's record. */

import type { Queryable } from '../connect.js'

/**
 * Returns the blocks above `to`, and up to `head`, that spend what the blocks from `from` to `to` made, in their order.
 */
export async function blocksOfMissingSpends(
  sql: Queryable,
  network: string,
  { from, to, head }: { readonly from: number; readonly to: number; readonly head: number },
): Promise<number[]> {
  const rows = await sql<{ height: bigint }[]>`
    SELECT DISTINCT seen.spent_height AS height
    FROM audited_outputs seen JOIN utxos held
      ON held.network = seen.network AND held.txid = seen.txid AND held.vout = seen.vout
    WHERE seen.network = ${network} AND seen.height BETWEEN ${from} AND ${to}
      AND seen.spent_height > ${to} AND seen.spent_height <= ${head}
      AND held.block_number IS NOT NULL AND held.spent_at_block IS NULL
    ORDER BY height`
  return rows.map((row) => Number(row.height))
}
