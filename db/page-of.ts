/** Reads a page of a list by one index, or merges it from the pages of several keys that one index serves. */

import type { PendingQuery, Row } from 'postgres'
import type { Queryable } from './connect.js'
import type { Slice } from './slice.js'

type Fragment = PendingQuery<Row[]>

/** Rows of a list that are paged by `id`. */
export interface Listed {
  readonly table: Fragment
  /** Name of the table in the conditions. */
  readonly name: string
  readonly where: Fragment
  /**
   * Keys whose pages are merged, such as the coins of a network: a query of few rows, named `key` in the
   * condition `on`. Absent where an index serves the condition in the order of ids.
   */
  readonly merge?: Merge | undefined
}

export interface Merge {
  readonly keys: Fragment
  readonly on: Fragment
}

/** Returns a page as a table in parentheses, newest first. A key is read no further than the page needs. */
export function pageOf(sql: Queryable, { table, name, where, merge }: Listed, slice: Slice): Fragment {
  const each = sql(name)
  const older = slice.before === null ? sql`` : sql`AND ${each}.id < ${slice.before}`
  if (!merge) {
    return sql`(
      SELECT ${each}.* FROM ${table} ${each} WHERE ${where} ${older}
      ORDER BY ${each}.id DESC OFFSET ${slice.offset} LIMIT ${slice.take})`
  }
  return sql`(
    SELECT page.* FROM (${merge.keys}) key CROSS JOIN LATERAL (
      SELECT ${each}.* FROM ${table} ${each} WHERE ${where} AND ${merge.on} ${older}
      ORDER BY ${each}.id DESC LIMIT ${slice.offset + slice.take}
    ) page
    ORDER BY page.id DESC OFFSET ${slice.offset} LIMIT ${slice.take})`
}

/**
 * Returns the coins of a list that names a network or a coin and not both, for an index by network and coin.
 * `undefined` where it names both or neither: then there is nothing to merge.
 */
export function mergeCoins(
  sql: Queryable,
  merchantId: string,
  { network, coin }: { readonly network?: string | undefined; readonly coin?: string | undefined },
  name = 'each',
): Merge | undefined {
  if ((network === undefined) === (coin === undefined)) return undefined
  const named = network === undefined ? sql`coin = ${coin ?? ''}` : sql`network = ${network}`
  return {
    keys: sql`
      SELECT network, coin FROM merchant_rails WHERE merchant_id = ${merchantId} AND ${named}
      UNION SELECT network, coin FROM (SELECT network, name AS coin FROM known_coins) known WHERE ${named}`,
    on: sql`${sql(name)}.network = key.network AND ${sql(name)}.coin = key.coin`,
  }
}

/** Returns the networks on which a merchant has keys, for a search that names none. */
export function networksOf(sql: Queryable, merchantId: string): Fragment {
  return sql`SELECT DISTINCT network FROM key_accounts WHERE merchant_id = ${merchantId}`
}
