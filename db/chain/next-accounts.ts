/** Takes the accounts of a network whose turn it is to be compared with the chain. */

import type { Queryable } from '../connect.js'

export interface NextAccounts {
  readonly accounts: readonly {
    readonly addressId: string
    readonly merchantId: string
    readonly address: string
  }[]
  /** Id after which the next call continues. `null` after the last address. */
  readonly after: string | null
}

/**
 * Takes the next addresses of a network in the order of their ids: all, or the merchants' own wallets only.
 */
export async function nextAccounts(
  sql: Queryable,
  network: string,
  of: 'all' | 'wallets',
  after: string,
  limit: number,
): Promise<NextAccounts> {
  const rows = await sql<{ id: string; merchant_id: string; address: string }[]>`
    SELECT id, merchant_id, address FROM addresses
    WHERE network = ${network} AND id > ${after}
      AND ${of === 'all' ? sql`true` : sql`kind IN ('master', 'hot', 'gas')`}
    ORDER BY id LIMIT ${limit}`
  return {
    accounts: rows.map((row) => ({ addressId: row.id, merchantId: row.merchant_id, address: row.address })),
    after: rows.length < limit ? null : (rows.at(-1)?.id ?? null),
  }
}
