/** Pages every list by `page` and `limit` or by `cursor` and `limit`, newest first by id. */

import type { Slice } from '../../db/slice.js'
import type { Pagination } from '../../wire/paging.js'

export interface PagingQuery {
  readonly page?: number | undefined
  readonly limit: number
  readonly cursor?: string | undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly pagination: Pagination
}

/** Returns the slice that a list query has to fetch: one row more than a page, so that `has_more` needs no count. */
export function toSlice(query: PagingQuery): Slice {
  return query.cursor === undefined
    ? { before: null, offset: ((query.page ?? 1) - 1) * query.limit, take: query.limit + 1 }
    : {
        before: Buffer.from(query.cursor, 'base64url').toString('utf8'),
        offset: 0,
        take: query.limit + 1,
      }
}

/**
 * Builds a page from the rows that a query returned for `toSlice(query)`.
 *
 * @param idOf - Returns the id (or another text key) by which the list is ordered, newest first.
 */
export function toPage<Row, View>(
  query: PagingQuery,
  rows: readonly Row[],
  view: (row: Row) => View,
  idOf: (row: Row) => string,
): Page<View> {
  const shown = rows.slice(0, query.limit)
  const last = shown.at(-1)
  const hasMore = rows.length > query.limit
  return {
    items: shown.map(view),
    pagination: {
      page: query.cursor === undefined ? (query.page ?? 1) : null,
      limit: query.limit,
      has_more: hasMore,
      next_cursor: hasMore && last !== undefined ? Buffer.from(idOf(last)).toString('base64url') : null,
    },
  }
}

/** Returns a list that the configuration bounds (networks, balances by coin) as one page. */
export function wholeList<View>(items: readonly View[]): Page<View> {
  return { items, pagination: { page: 1, limit: items.length, has_more: false, next_cursor: null } }
}
