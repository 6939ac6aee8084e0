/** The outcomes of planning a consolidation. */

import type { Networks } from '../../../domain/chain/network.js'
import { NO_TREASURY, type Treasury } from '../../../domain/payouts/treasury.js'
import type { WithdrawalStage } from '../../../domain/payouts/withdrawal-stage.js'
import type { WithdrawalInput } from '../../../temporal/inputs.js'

export type PlanStep =
  /** Nothing is left to move, or nothing is worth moving before something new arrives. */
  | { readonly kind: 'nothing'; readonly message: string }
  /** Nothing can be moved now. The row says when to check again, and the sweeper then starts a new run. */
  | { readonly kind: 'later'; readonly message: string }
  /** Something arrived meanwhile: plan again at once. */
  | { readonly kind: 'again' }
  /** Follow this movement to its end, then plan again. */
  | { readonly kind: 'move'; readonly movement: WithdrawalInput }

/** The movement that was followed last, and how it ended. */
export interface LastMovement {
  readonly id: string
  readonly stage: WithdrawalStage
}

/** Returns a network's treasury rules. */
export function treasuryOf(networks: Networks, network: string): Treasury {
  return networks.get(network)?.treasury ?? NO_TREASURY
}
