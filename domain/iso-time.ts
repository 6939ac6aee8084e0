/** Times that parties sign: a text that only looks like one would be compared as never. */

/** ISO 8601 UTC with seconds, as `Date.prototype.toISOString` writes it (fraction optional). */
const SHAPE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/

/** Whether a text is a time of the calendar: `2026-02-31T00:00:00Z` has the shape and is none. */
export function isIsoTime(text: string): boolean {
  if (!SHAPE.test(text)) return false
  const milliseconds = Date.parse(text)
  // A day or an hour too many is carried over by some engines instead of refused.
  return (
    !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().slice(0, 19) === text.slice(0, 19)
  )
}
