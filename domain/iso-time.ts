/**
 * Checks times that parties sign. A text that is no time would otherwise compare as neither earlier nor
 * later.
 */

/**
 * Shape of ISO 8601 UTC with seconds, as `Date.prototype.toISOString` writes it. The fraction is optional.
 */
const SHAPE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/

/** Returns whether a text is a time of the calendar. `2026-02-31T00:00:00Z` has the shape and is none. */
export function isIsoTime(text: string): boolean {
  if (!SHAPE.test(text)) return false
  const milliseconds = Date.parse(text)
  // Some engines carry a day or an hour too many over instead of refusing it.
  return (
    !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().slice(0, 19) === text.slice(0, 19)
  )
}
