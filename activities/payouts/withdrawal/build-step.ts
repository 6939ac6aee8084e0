/** What building a payload can come to. */

import type { WaitStep } from './dependencies.js'

/** `done`: look at the row, its stage says what came of it. */
export type BuildStep = { readonly kind: 'done' } | WaitStep

/** What cannot get better by waiting. */
export interface BuildFailure {
  readonly kind: 'failed'
  readonly code: string
  readonly message: string
}

/** One payment of a batch is in the way of the others. */
export interface UnpayableItem {
  readonly kind: 'unpayable'
  /** In the batch. */
  readonly index: number
  readonly code: string
  readonly message: string
}
