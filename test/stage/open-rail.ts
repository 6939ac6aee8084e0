/** Opens a rail: a chain's own node, Temporal, and a stage that follows the chain and has workers. */

import type { Networks } from '../../domain/chain/network.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'
import { untilFollowed } from './rail-steps.js'
import { type Stage, type StageOptions, startStage } from './start-stage.js'

/** Pause between two blocks, in milliseconds, while a rail mines. */
const BLOCK_MS = 700

interface Node {
  stop(): Promise<void>
}

export interface Rail<N extends Node> {
  readonly temporal: TestTemporal
  readonly node: N
  readonly stage: Stage
  /** Stops the stage, then the node and Temporal's client. */
  close(): Promise<void>
}

export interface MinedRail<N extends Node> extends Rail<N> {
  /** Mines a block every so often, or stops doing so. */
  mining(on: boolean): Promise<void>
  /** Mines blocks while `work` waits for them. */
  whileMining<T>(work: () => Promise<T>): Promise<T>
}

/** Options of the stage that a test may choose; the rail names the networks and Temporal. */
export type StageParts = Omit<StageOptions, 'networks' | 'temporal'>

export interface RailOptions<N extends Node> extends StageParts {
  start(): Promise<N>
  /** Returns the networks, which name the node. */
  networks(node: N): Networks | Promise<Networks>
  /** Prepares the chain and the books before the stage follows the chain. */
  prepare?(stage: Stage, node: N): Promise<void>
}

/** Opens a rail on any node. Stops what it started when the rest of the set-up fails. */
export async function openRail<N extends Node>(options: RailOptions<N>): Promise<Rail<N>> {
  const { start, networks, prepare, ...parts } = options
  const [temporal, node] = await Promise.all([testTemporal(), start()])
  const stop = () => Promise.all([node.stop(), temporal.close()])
  try {
    const stage = await startStage({ ...parts, networks: await networks(node), temporal })
    await prepare?.(stage, node)
    stage.follow()
    await untilFollowed(stage)
    await stage.startWorker()
    return {
      temporal,
      node,
      stage,
      async close() {
        await stage.close()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Opens a rail on a node that mines only when it is asked to; the rail asks it at intervals. */
export async function openMinedRail<N extends Node & { mine(blocks?: number): unknown }>(
  options: RailOptions<N> & { readonly blockMs?: number },
): Promise<MinedRail<N>> {
  const { blockMs = BLOCK_MS, ...rest } = options
  const rail = await openRail<N>(rest)
  let miner: NodeJS.Timeout | undefined
  const mining = async (on: boolean) => {
    clearInterval(miner)
    // A node that is being stopped refuses the last block.
    if (on) miner = setInterval(() => void Promise.resolve(rail.node.mine(1)).catch(() => {}), blockMs)
  }
  return {
    ...rail,
    mining,
    async whileMining(work) {
      await mining(true)
      try {
        return await work()
      } finally {
        await mining(false)
      }
    },
    async close() {
      await mining(false)
      await rail.close()
    },
  }
}
