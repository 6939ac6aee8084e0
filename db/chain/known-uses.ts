/** Counts the nonces of an EVM account that are explained up to a block. */

import type { Queryable } from '../connect.js'

/**
 * Counts, by address, the nonces that own payouts used, foreign transactions that were seen in blocks, and
 * uses that an exception already named.
 *
 * @param height - Height of the last block that counts.
 */
export async function knownUses(
  sql: Queryable,
  network: string,
  addressIds: readonly string[],
  height: number,
): Promise<ReadonlyMap<string, number>> {
  const rows = await sql<{ id: string; uses: bigint }[]>`
    SELECT address.id,
      ((SELECT count(DISTINCT own.nonce) FROM attempts own
        WHERE own.from_address_id = address.id AND own.network = ${network} AND own.nonce IS NOT NULL
          AND own.state IN ('mined', 'final') AND own.block_number <= ${height})
       + (SELECT count(*) FROM foreign_spends seen
          WHERE seen.network = ${network} AND seen.sender_address_id = address.id)
       + (SELECT coalesce(sum(uses), 0) FROM foreign_nonces named
          WHERE named.network = ${network} AND named.address_id = address.id))::bigint AS uses
    FROM unnest(${[...addressIds]}::text[]) AS address (id)`
  return new Map(rows.map((row) => [row.id, Number(row.uses)]))
}
