/** Declares `from_date` and `to_date` of lists: a day or an instant, both ends included. */

import { dayOrInstant, endOf } from './instant.js'

const text = dayOrInstant.openapi({ type: 'string', example: '2024-01-15T12:30:00Z' })

/** Fields to spread into a list's query. A day covers the whole day in UTC. */
export const dateRangeQuery = {
  from_date: text.transform((value) => new Date(value)).optional(),
  to_date: text.transform(endOf).optional(),
}
