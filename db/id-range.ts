/** Turns times into bounds of ids, because ids begin with their time: an index by id then serves a range of times. */

import type { IdPrefix } from './new-id.js'

/** How far the time in an id may lie from the time that a row shows: clocks of two processes may differ. */
const SKEW_MS = 300_000
/** The last time that an id can hold. */
const LATEST = 2 ** 48 - 1

/** Returns an id at or below that of every row whose time is `time` or later. */
export function idFrom(prefix: IdPrefix, time: Date): string {
  return `${prefix}_${hexOf(time.getTime() - SKEW_MS)}`
}

/** Returns an id above that of every row whose time is `time` or earlier. */
export function idTo(prefix: IdPrefix, time: Date): string {
  return `${prefix}_${hexOf(time.getTime() + SKEW_MS)}`
}

/** Returns how the part of an id after its prefix begins whose time is `time`, with no allowance for clocks. */
export function idTime(time: Date): string {
  return hexOf(time.getTime())
}

function hexOf(time: number): string {
  return Math.min(LATEST, Math.max(0, time)).toString(16).padStart(12, '0')
}
