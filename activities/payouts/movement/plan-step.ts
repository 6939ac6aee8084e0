/** What the planning of a consolidation found. */

import type { Networks } from '../../../domain/chain/network.js'
import { NO_TREASURY, type Treasury } from '../../../domain/payouts/treasury.js'
import type { WithdrawalStage } from '../../../domain/payouts/withdrawal-stage.js'
import type { WithdrawalInput } from '../../../temporal/inputs.js'

export type PlanStep =
  /** Nothing is left to be moved, or it is not worth it before something new comes. */
  | { readonly kind: 'nothing'; readonly message: string }
  /** Not now: the row says when to look again, and the sweeper starts anew then. */
  | { readonly kind: 'later'; readonly message: string }
  /** Something came meanwhile: look again at once. */
  | { readonly kind: 'again' }
  /** This movement is to be seen through, then look again. */
  | { readonly kind: 'move'; readonly movement: WithdrawalInput }

/** The movement that was seen through last, and how it ended. */
export interface LastMovement {
  readonly id: string
  readonly stage: WithdrawalStage
}

/** A network's rules. */
export function treasuryOf(networks: Networks, network: string): Treasury {
  return networks.get(network)?.treasury ?? NO_TREASURY
}
