/** What consolidation and rebalancing ask of chains and the database: activities on the queue `chain`. */

import { isEvmAdapter, isUtxoAdapter } from '../../chains/adapter.js'
import type { ConsolidationInput } from '../../temporal/inputs.js'
import { type Balanced, balanceWallets } from './movement/balance-wallets.js'
import type { TreasuryDependencies } from './movement/dependencies.js'
import { planGathering } from './movement/plan-gathering.js'
import type { LastMovement, PlanStep } from './movement/plan-step.js'
import { planSweep } from './movement/plan-sweep.js'
import { adapterOf } from './withdrawal/dependencies.js'

export type { Balanced } from './movement/balance-wallets.js'

export interface TreasuryActivities {
  planConsolidation(input: ConsolidationInput, last: LastMovement | null): Promise<PlanStep>
  balanceWallets(): Promise<Balanced>
}

/** @throws from `planConsolidation` while no node answers: it is tried again until one does. */
export function createTreasuryActivities(dependencies: TreasuryDependencies): TreasuryActivities {
  return {
    async planConsolidation(input, last) {
      const adapter = adapterOf(dependencies, input.network)
      if (isEvmAdapter(adapter)) return planSweep(dependencies, adapter, input, last)
      if (isUtxoAdapter(adapter)) return planGathering(dependencies, adapter, input, last)
      throw new Error(`Nothing is consolidated on ${input.network}`)
    },
    balanceWallets: () => balanceWallets(dependencies),
  }
}
