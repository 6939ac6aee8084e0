/** Defines the outcomes of crediting a deposit. */

import type { ConsolidationInput } from '../../temporal/inputs.js'

export type CreditOutcome =
  /**
   * The deposit is available. `consolidation` is to be started if the network sweeps the credited address.
   */
  | { readonly kind: 'credited'; readonly consolidation?: ConsolidationInput }
  /** The deposit is too small to be credited without a person, or screening held it. */
  | { readonly kind: 'held' }
  | { readonly kind: 'gone'; readonly status: 'reverted' | 'replaced' }
  /** The deposit is not, or no longer, confirmed. */
  | { readonly kind: 'not_confirmed' }
