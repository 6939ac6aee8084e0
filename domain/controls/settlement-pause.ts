/** Says what a pause of settlement is, and how it is shown. */

/** Code of `waiting` of a payout that a pause stops, and of the refusal of a schedule. */
export const SETTLEMENT_PAUSED = 'SETTLEMENT_PAUSED'

/** Those who may place a pause. Each kind ends its own. */
export type PausedBy = 'merchant' | 'operator'

/** A pause, as far as a payout that waits for its end shows it. */
export interface ShownPause {
  readonly placed_by: PausedBy
  readonly reason: string
  readonly since: Date
}

/** Explains why nothing is sent. */
export function explainPause({ placed_by, reason, since }: ShownPause): string {
  const by = placed_by === 'operator' ? ' by the operator of the platform' : ''
  return `Settlement is paused${by} since ${since.toISOString()}: ${reason}`
}
