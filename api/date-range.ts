/** `from_date` and `to_date` of lists: a day or an instant, both ends included. */

import { z } from '@hono/zod-openapi'

const DAY_MS = 86_400_000
const text = z
  .union(
    [z.iso.datetime({ offset: true }), z.iso.date()],
    'a day (2024-01-15) or an instant (2024-01-15T12:30:00Z)',
  )
  .openapi({ type: 'string', example: '2024-01-15T12:30:00Z' })

/** Spread into a list's query; a day means all of it, in UTC. */
export const dateRangeQuery = {
  from_date: text.transform((value) => new Date(value)).optional(),
  to_date: text
    .transform((value) => new Date(new Date(value).getTime() + (value.length === 10 ? DAY_MS - 1 : 0)))
    .optional(),
}
