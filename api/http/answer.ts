/** Builds the envelope of every answer: schemas for the document, and values for the handlers. */

import { z } from '@hono/zod-openapi'
import type { ZodType } from 'zod'
import { Pagination } from '../../wire/paging.js'
import type { Page } from './paging.js'

/** Returns a response for `createRoute`: `{ success: true, data }`. */
export function answer<T extends ZodType>(data: T, description = 'Done') {
  return {
    description,
    content: { 'application/json': { schema: z.object({ success: z.literal(true), data }) } },
  } as const
}

/** Returns a response for `createRoute`: `{ success: true, data: [...], pagination }`. */
export function listAnswer<T extends ZodType>(item: T, description = 'A page, newest first') {
  return {
    description,
    content: {
      'application/json': {
        schema: z.object({
          success: z.literal(true),
          data: z.array(item).readonly(),
          pagination: Pagination,
        }),
      },
    },
  } as const
}

/** Returns the body of a success: `c.json(success(view), 200)`. */
export function success<T>(data: T): { success: true; data: T } {
  return { success: true, data }
}

/** Returns the body of a page that `toPage` or `wholeList` made. */
export function successPage<T>(page: Page<T>) {
  return { success: true as const, data: page.items, pagination: page.pagination }
}
