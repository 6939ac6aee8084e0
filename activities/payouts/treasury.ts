/** The steps of consolidation and rebalancing: activities on the queue `chain`. */

import { byAdapterFamily } from '../../chains/adapter.js'
import type { ConsolidationInput } from '../../temporal/inputs.js'
import { type Balanced, balanceWallets } from './movement/balance-wallets.js'
import type { TreasuryDependencies } from './movement/dependencies.js'
import { planOutputConsolidation } from './movement/plan-output-consolidation.js'
import type { LastMovement, PlanStep } from './movement/plan-step.js'
import { planSweep } from './movement/plan-sweep.js'
import { adapterOf } from './withdrawal/dependencies.js'

export type { Balanced } from './movement/balance-wallets.js'

export interface TreasuryActivities {
  planConsolidation(input: ConsolidationInput, last: LastMovement | null): Promise<PlanStep>
  balanceWallets(): Promise<Balanced>
}

/**
 * Creates the activities.
 *
 * @throws From `planConsolidation` while no node answers; Temporal retries it until one does.
 */
export function createTreasuryActivities(dependencies: TreasuryDependencies): TreasuryActivities {
  return {
    async planConsolidation(input, last) {
      const adapter = adapterOf(dependencies, input.network)
      return byAdapterFamily(adapter, {
        utxo: (utxo) => planOutputConsolidation(dependencies, utxo, input, last),
        evm: (evm) => planSweep(dependencies, evm, input, last),
      })
    },
    balanceWallets: () => balanceWallets(dependencies),
  }
}
