/** Reads a node's estimate of the fee rate for each priority. */

import { z } from 'zod'
import type { UtxoNetwork } from '../../../domain/chain/network.js'
import type { Priority } from '../../../domain/payouts/priority.js'
import { PRIORITY_PERCENT } from '../../adapter.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { NodeError } from '../rpc/node-error.js'

/**
 * Blocks within which each priority should confirm, from the times that priorities promise. Nodes know no
 * target below 2.
 */
const TARGET_BLOCKS: Readonly<Record<Priority, number>> = { low: 6, normal: 3, high: 2, urgent: 2 }

/** Factor from whole coins per 1,000 vB, which the node uses, to sat/vB. */
const SAT_PER_VB = 100_000

/**
 * Returns the fee rate of a priority in sat/vB: the node's estimate (or the network's fallback) times the
 * priority's multiplier, at least the mempool's current minimum, inside the network's minimum and maximum.
 */
export async function estimateFeeRate(priority: Priority, network: UtxoNetwork, rpc: Rpc): Promise<number> {
  const [estimate, floor] = await Promise.all([smartFee(TARGET_BLOCKS[priority], rpc), mempoolFloor(rpc)])
  const { fallbackRate, minRate, maxRate } = network.fees
  const rate = ((estimate ?? fallbackRate) * Number(PRIORITY_PERCENT[priority])) / 100
  const clamped = Math.min(maxRate, Math.max(minRate, floor, rate))
  return Math.ceil(clamped * 1_000) / 1_000
}

/**
 * Returns the node's estimate. `null` if the node has no estimator (btcd) or too little history (a fresh
 * chain).
 */
async function smartFee(blocks: number, rpc: Rpc): Promise<number | null> {
  try {
    const answer = await rpc.call(
      'estimatesmartfee',
      [blocks],
      z.object({ feerate: z.number().positive().optional() }),
    )
    return answer.feerate === undefined ? null : answer.feerate * SAT_PER_VB
  } catch (error) {
    if (error instanceof NodeError && error.isUnsupported) return null
    throw error
  }
}

async function mempoolFloor(rpc: Rpc): Promise<number> {
  const info = await rpc.call(
    'getmempoolinfo',
    [],
    z.object({ mempoolminfee: z.number().nonnegative().optional() }),
  )
  return (info.mempoolminfee ?? 0) * SAT_PER_VB
}
