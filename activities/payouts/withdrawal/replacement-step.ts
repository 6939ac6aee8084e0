/** The outcomes of building a replacement. */

import type { AttemptRow } from '../../../db/payouts/attempts/find-attempts.js'
import type { PayoutRow } from '../../../db/payouts/payout-row.js'

/** The next attempt, as the builders take it. */
export interface WantedAttempt {
  readonly row: PayoutRow
  /** Signed attempts, newest first. None of them is mined. */
  readonly attempts: readonly AttemptRow[]
  /**
   * Attempts that a signer claimed and does not answer. The next attempt costs more than they do, so that no
   * two transactions are the same.
   */
  readonly unanswered: readonly AttemptRow[]
  readonly purpose: AttemptRow['purpose']
  readonly cause: Exclude<AttemptRow['cause'], 'first'>
  readonly priority: AttemptRow['priority']
  /** Highest fee allowed, in base units of the native coin. */
  readonly feeLimit: bigint
}

/** The outcomes of building one. */
export type ReplacementBuilt =
  | { readonly kind: 'queued' }
  /** Another process was quicker, or the attempt is no longer wanted: read the row again. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'waiting'; readonly code: string; readonly message: string }
