/** What building a replacement can come to. */

import type { PaymentRow } from '../../../db/payouts/attempts/find-attempts.js'
import type { WithdrawalRow } from '../../../db/payouts/payout-row.js'

/** The next attempt as the builders take it. */
export interface WantedAttempt {
  readonly row: WithdrawalRow
  /** Signed, and none of them mined; newest first. */
  readonly attempts: readonly PaymentRow[]
  /** Attempts that a signer took and does not answer. The next attempt costs more than they do, so that no two transactions are the same. */
  readonly unanswered: readonly PaymentRow[]
  readonly purpose: PaymentRow['purpose']
  readonly cause: Exclude<PaymentRow['cause'], 'first'>
  readonly priority: PaymentRow['priority']
  /** The most that the fee may be, in base units of the native coin. */
  readonly feeLimit: bigint
}

/** What came of building one. */
export type ReplacementBuilt =
  | { readonly kind: 'queued' }
  /** Another process was quicker, or the attempt is no longer wanted: look again. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'waiting'; readonly code: string; readonly message: string }
