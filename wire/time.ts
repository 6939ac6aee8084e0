/** Times of requests: those that both JavaScript and PostgreSQL can hold, from the year 1 to 9999 in UTC. */

import { z } from 'zod'

const EARLIEST = Date.parse('0001-01-01T00:00:00Z')
const LATEST = Date.parse('9999-12-31T23:59:59.999Z')
const IN_RANGE = 'must lie within the years 1 to 9999, in UTC'
const DAY_OR_INSTANT = 'a day (2024-01-15) or an instant (2024-01-15T12:30:00Z)'

/** An instant of a request: ISO 8601 with an offset or `Z`. */
export const Instant = z.iso.datetime({ offset: true }).refine(isStorable, IN_RANGE)

/** An instant of a request, or a day, which means its midnight in UTC. */
export const DayOrInstant = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], DAY_OR_INSTANT)
  .refine(isStorable, IN_RANGE)
  .meta({ type: 'string', example: '2024-01-15T12:30:00Z' })

/** The window of a list's query, of which only the begin is included: spread into it. A day means its midnight, in UTC. */
export const windowFields = {
  from_date: DayOrInstant.transform((text) => new Date(text)).optional(),
  to_date: DayOrInstant.transform((text) => new Date(text)).optional(),
}

/** A day (`2024-01-15`) or an instant at each end. */
const DateRange = z.strictObject(windowFields)
export type DateRange = z.input<typeof DateRange>

function isStorable(text: string): boolean {
  const time = Date.parse(text)
  return time >= EARLIEST && time <= LATEST
}
