/** The part of a list that a query returns, newest first. */
export interface Slice {
  /** Rows with an id below this one only; null from the newest. */
  readonly before: string | null
  /** Rows to skip (pages by number). */
  readonly offset: number
  readonly take: number
}
