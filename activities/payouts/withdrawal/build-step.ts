/** The outcomes of building a payload. */

import type { WaitStep } from './dependencies.js'

/** `done`: read the row again. Its stage says what came of the build. */
export type BuildStep = { readonly kind: 'done' } | WaitStep

/** A failure that waiting cannot cure. */
export interface BuildFailure {
  readonly kind: 'failed'
  readonly code: string
  readonly message: string
}

/** One item of a batch that prevents the others from being paid. */
export interface UnpayableItem {
  readonly kind: 'unpayable'
  /** Index of the item in the batch. */
  readonly index: number
  readonly code: string
  readonly message: string
}
