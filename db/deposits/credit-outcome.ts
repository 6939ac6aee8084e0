/** Defines the outcomes of crediting a deposit, and those that its status already decides. */

import { assertNever } from '../../domain/assert-never.js'
import type { DepositStatus } from '../../domain/deposits/deposit-status.js'
import type { ConsolidationInput } from '../../temporal/inputs.js'

export type CreditOutcome =
  /**
   * The deposit is available. `consolidation` is to be started if the network sweeps the credited address.
   * `paymentId` is set if the deposit belongs to a payment, whose workflow is then signalled.
   */
  | {
      readonly kind: 'credited'
      readonly consolidation?: ConsolidationInput
      readonly paymentId?: string
    }
  /** The deposit is too small to be credited without a person, or screening held it. */
  | { readonly kind: 'held' }
  | { readonly kind: 'gone'; readonly status: 'reverted' | 'replaced' }
  /** The deposit is not, or no longer, confirmed. */
  | { readonly kind: 'not_confirmed' }

/**
 * Returns the outcome of a deposit that is neither to be credited nor held now. `null` in
 * `screening_requested`, where one of the two comes next.
 */
export function settledOutcome(status: DepositStatus): CreditOutcome | null {
  switch (status) {
    case 'success':
      return { kind: 'credited' }
    case 'held':
      return { kind: 'held' }
    case 'reverted':
    case 'replaced':
      return { kind: 'gone', status }
    case 'screening_requested':
      return null
    case 'detected':
    case 'unconfirmed':
    case 'confirmed':
      return { kind: 'not_confirmed' }
    default:
      return assertNever(status)
  }
}
