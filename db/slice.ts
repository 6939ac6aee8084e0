/** Declares the part of a list that a query returns. */

/** Part of a list, newest first. */
export interface Slice {
  /** Id below which the rows begin. `null` begins with the newest. */
  readonly before: string | null
  /** Rows to skip, for pages by number. */
  readonly offset: number
  readonly take: number
}
