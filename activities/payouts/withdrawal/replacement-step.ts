/** What building a replacement can come to. */

import type { AttemptRow } from '../../../db/payouts/attempts/find-attempts.js'
import type { PayoutRow } from '../../../db/payouts/payout-row.js'

/** The next attempt as the builders take it. */
export interface WantedAttempt {
  readonly row: PayoutRow
  /** Signed, and none of them mined; newest first. */
  readonly attempts: readonly AttemptRow[]
  /** Attempts that a signer took and does not answer. The next attempt costs more than they do, so that no two transactions are the same. */
  readonly unanswered: readonly AttemptRow[]
  readonly purpose: AttemptRow['purpose']
  readonly cause: Exclude<AttemptRow['cause'], 'first'>
  readonly priority: AttemptRow['priority']
  /** The most that the fee may be, in base units of the native coin. */
  readonly feeLimit: bigint
}

/** What came of building one. */
export type ReplacementBuilt =
  | { readonly kind: 'queued' }
  /** Another process was quicker, or the attempt is no longer wanted: look again. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'waiting'; readonly code: string; readonly message: string }
