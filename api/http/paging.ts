/** Paging of every list: `page`+`limit` or `cursor`+`limit`, newest first by id. */

import { z } from '@hono/zod-openapi'
import type { Slice } from '../../db/slice.js'

/** Far enough for people; programs follow `next_cursor`, which costs the same at any depth. */
const MAX_PAGE = 10_000

/** Spread into a list's query: `z.strictObject({ ...pagingQuery, network: … })`. */
export const pagingQuery = {
  page: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_PAGE)
    .optional()
    .openapi({ description: 'From 1. Rows that are added meanwhile shift pages; `cursor` is stable.' }),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z
    .string()
    .refine(isCursor, 'take it from next_cursor of the page before')
    .optional()
    .openapi({ description: '`next_cursor` of the page before; instead of `page`.' }),
}

/** Whether it can have come from `toPage`: an id, in base64url. A mangled one would quietly show some other page. */
function isCursor(text: string): boolean {
  const id = Buffer.from(text, 'base64url').toString('utf8')
  return /^[\x21-\x7e]{1,150}$/.test(id) && Buffer.from(id).toString('base64url') === text
}

export interface PagingQuery {
  readonly page?: number | undefined
  readonly limit: number
  readonly cursor?: string | undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly pagination: {
    readonly page: number | null
    readonly limit: number
    readonly has_more: boolean
    readonly next_cursor: string | null
  }
}

/** What a list query has to fetch: one row more than a page, so that `has_more` needs no count. */
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
 * Makes a page of the rows that a query returned for `toSlice(query)`.
 *
 * @param idOf - The id (or another text key) by which the list is ordered, newest first.
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

/** A list that the configuration bounds (networks, and balances by their coins) as one page. */
export function wholeList<View>(items: readonly View[]): Page<View> {
  return { items, pagination: { page: 1, limit: items.length, has_more: false, next_cursor: null } }
}
