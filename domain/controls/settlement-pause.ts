/** Says what a pause of settlement is, and how it is shown. */

/** Code of `waiting` of a payout that a pause stops, and of the refusal of a schedule. */
export const SETTLEMENT_PAUSED = 'SETTLEMENT_PAUSED'

/** What places a pause. Each kind ends its own; a suspension of the merchant pauses for as long as it lasts. */
export const PAUSED_BY = ['merchant', 'operator', 'suspension'] as const
export type PausedBy = (typeof PAUSED_BY)[number]

/** A pause, as far as a payout that waits for its end shows it. */
export interface ShownPause {
  readonly placed_by: PausedBy
  readonly reason: string
  readonly since: Date
}

const BY: Readonly<Record<PausedBy, string>> = {
  merchant: '',
  operator: ' by the operator of the platform',
  suspension: ' by the suspension of the merchant',
}

/** Explains why nothing is sent. */
export function explainPause({ placed_by, reason, since }: ShownPause): string {
  return `Settlement is paused${BY[placed_by]} since ${since.toISOString()}: ${reason}`
}
