/** What crediting a deposit can come to. */

import type { ConsolidationInput } from '../../temporal/inputs.js'

export type CreditOutcome =
  /** With what is to be started now, where the credited address is swept by itself. */
  | { readonly kind: 'credited'; readonly consolidation?: ConsolidationInput }
  /** Too small to be credited by itself, or set aside by screening. */
  | { readonly kind: 'held' }
  | { readonly kind: 'gone'; readonly status: 'reverted' | 'replaced' }
  /** Not confirmed (any more). */
  | { readonly kind: 'not_confirmed' }
