/** Says whether the auditor's record of a chain of the Bitcoin family reaches up to a block. */

import type { Queryable } from '../connect.js'

/**
 * Returns whether the record holds all that was made and spent up to the block, on the block's own branch. Hashes of
 * old blocks are left out of the record; a block without one is taken by its height.
 */
export async function coversBlock(
  sql: Queryable,
  network: string,
  { height, hash }: { readonly height: number; readonly hash: string },
): Promise<boolean> {
  const [row] = await sql`
    SELECT 1 FROM audited_chains
    WHERE network = ${network} AND height >= ${height} AND first_block <= ${height}
      AND NOT EXISTS (
        SELECT FROM audited_blocks WHERE network = ${network} AND height = ${height} AND hash <> ${hash})`
  return row !== undefined
}
