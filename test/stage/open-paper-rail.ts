/** Opens a rail without a node: coins stand in the books alone, and adapters build transactions from them. */

import type { WithdrawalChainDependencies } from '../../activities/payouts/withdrawal/dependencies.js'
import type { ChainAdapter, EvmBuildRequest, UtxoAdapter, UtxoBuildRequest } from '../../chains/adapter.js'
import type { Networks } from '../../domain/chain/network.js'
import { type FundingOptions, fundInBooks } from './fund-in-books.js'
import { type Stage, startStage } from './start-stage.js'

/** Height of the chains. */
const HEIGHT = 100
/** Balance of each address in each coin, in base units, where an adapter is asked for it. */
const PLENTY = 10n ** 20n

export interface PaperRailOptions extends FundingOptions {
  readonly networks: Networks
  /** Satoshis of each output that the Bitcoin wallet starts with. */
  readonly outputs: readonly bigint[]
  /** sat/vB that the node would ask. */
  readonly feeRate: number
  /** Wei of the merchant itself, in the books. Default: none. */
  readonly wei?: bigint
  /** Runs before each build; the build fails where this throws. */
  readonly beforeBuild?: (request: UtxoBuildRequest | EvmBuildRequest) => Promise<void>
}

export interface PaperRail {
  readonly stage: Stage
  /** Dependencies of the activities that a test calls itself. */
  readonly dependencies: WithdrawalChainDependencies
}

/** Opens the rail. No workers run: tests call the activities themselves. */
export async function openPaperRail(options: PaperRailOptions): Promise<PaperRail> {
  const { networks, outputs, feeRate, wei = 0n, beforeBuild, ...funding } = options
  let build: UtxoAdapter['build'] | undefined
  const wrap = (adapter: ChainAdapter) =>
    ({
      ...adapter,
      head: async () => ({ height: HEIGHT, hash: '00' }),
      feeRate: async () => feeRate,
      balance: async () => PLENTY,
      async build(request: UtxoBuildRequest & EvmBuildRequest) {
        await beforeBuild?.(request)
        if (!build) throw new Error('The wallet is not funded yet')
        return build(request)
      },
    }) as ChainAdapter
  const stage = await startStage({ networks, wrap })
  build = await fundInBooks(stage, 'bitcoin', outputs, funding)
  if (wei > 0n) await stage.credit('ethereum', 'eth', '', wei)
  const { sql } = stage.api.database
  return { stage, dependencies: { sql, networks, adapters: stage.adapters } }
}
