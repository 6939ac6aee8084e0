/** Computes with months, which are the periods of the books: `2026-11` lasts from its first midnight to the next one, in UTC. */

/** Half-open window of time: `to` is not included. */
export interface Window {
  readonly from: Date
  readonly to: Date
}

/** Returns a month's first midnight and the next month's. */
export function monthOf(period: string): Window {
  const [year = 0, month = 1] = period.split('-').map(Number)
  return { from: new Date(Date.UTC(year, month - 1)), to: new Date(Date.UTC(year, month)) }
}

/** Returns the month of an instant. */
export function periodAt(instant: Date): string {
  return instant.toISOString().slice(0, 7)
}

/** Returns the month after one, or the one that is `months` after it. */
export function periodAfter(period: string, months = 1): string {
  const { from } = monthOf(period)
  return periodAt(new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + months)))
}
