/** Paging of every list: `page` and `limit`, or `cursor` and `limit`. */

import { z } from 'zod'
import { wholeNumber } from './whole-number.js'

/** Far enough for people; programs follow `next_cursor`, which costs the same at any depth. */
const MAX_PAGE = 10_000

/** The paging fields of a list's query: spread into it. */
export const pagingFields = {
  page: wholeNumber(1, MAX_PAGE)
    .optional()
    .meta({ description: 'From 1. Rows that are added meanwhile shift pages; `cursor` is stable.' }),
  limit: wholeNumber(1, 100).default(20),
  cursor: z
    .string()
    .refine(isCursor, 'take it from next_cursor of the page before')
    .optional()
    .meta({ description: '`next_cursor` of the page before; instead of `page`.' }),
}

/** The query of a list that has no filter of its own. */
export const Paging = z.strictObject(pagingFields)
export type Paging = z.input<typeof Paging>

/** Where a page of a list lies, and how the next one is requested. */
export const Pagination = z
  .object({
    page: z.int().nullable().meta({ description: '`null` when the list was requested by cursor.' }),
    limit: z.int(),
    has_more: z.boolean(),
    next_cursor: z.string().nullable(),
  })
  .meta({ id: 'Pagination', description: 'Where a page lies in its list.' })
export type Pagination = z.infer<typeof Pagination>

/** Whether the API can have made it: an id, in base64url. A mangled cursor would show some other page without an error. */
function isCursor(text: string): boolean {
  if (!/^[\w-]+$/.test(text) || text.length % 4 === 1) return false
  const id = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const written = btoa(id).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
  return /^[\x21-\x7e]{1,150}$/.test(id) && written === text
}
