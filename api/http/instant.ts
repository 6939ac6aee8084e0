/** Parses times of requests that both JavaScript and PostgreSQL can store, from the year 1 to 9999 in UTC. */

import { z } from '@hono/zod-openapi'

const EARLIEST = Date.parse('0001-01-01T00:00:00Z')
const LATEST = Date.parse('9999-12-31T23:59:59.999Z')
const DAY_MS = 86_400_000
const IN_RANGE = 'must lie within the years 1 to 9999, in UTC'
const DAY_OR_INSTANT = 'a day (2024-01-15) or an instant (2024-01-15T12:30:00Z)'

/** Instant in ISO 8601 with an offset or `Z`. */
export const instant = z.iso.datetime({ offset: true }).refine(isStorable, IN_RANGE)

/** Day or instant in ISO 8601. */
export const dayOrInstant = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], DAY_OR_INSTANT)
  .refine(isStorable, IN_RANGE)

/** Returns the last millisecond of a day in UTC, or the instant itself. */
export function endOf(text: string): Date {
  return new Date(Date.parse(text) + (text.length === 10 ? DAY_MS - 1 : 0))
}

function isStorable(text: string): boolean {
  const time = Date.parse(text)
  return time >= EARLIEST && time <= LATEST
}
