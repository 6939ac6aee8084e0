/** Declares a row of `settlement_pauses` as the database returns it. */

import type { PausedBy } from '../../../domain/controls/settlement-pause.js'

export interface PauseRow {
  readonly id: string
  readonly placed_by: PausedBy
  /** `null`: every merchant, network or coin. */
  readonly merchant_id: string | null
  readonly network: string | null
  readonly coin: string | null
  readonly reason: string
  readonly actor: string
  readonly since: Date
  readonly resumed_at: Date | null
}

/** What a pause covers. `null`: every merchant, network or coin. */
export interface PauseScope {
  readonly merchantId: string | null
  readonly network: string | null
  readonly coin: string | null
}
