/** Asks the node what recent blocks paid. */

import type { Priority } from '../../../domain/payouts/priority.js'
import { toBigInt, toList, toQuantity, toRecord } from '../quantity.js'
import { expectResult } from '../rpc/expect-result.js'
import type { RpcAnswer, RpcCall } from '../rpc/rpc-call.js'
import { EndpointFailure, RpcError } from '../rpc/rpc-error.js'
import { type FeeMarket, PRIORITY_PERCENTILE } from './choose-fees.js'

const BLOCKS = 20
const PRIORITIES = Object.keys(PRIORITY_PERCENTILE) as readonly Priority[]
/** Tip if blocks are empty and the node suggests nothing: 1 gwei, long the minimum of miners. */
const FALLBACK_TIP = 1_000_000_000n

/** The two calls whose answers `readFeeMarket` reads. */
export const FEE_MARKET_CALLS: readonly [RpcCall, RpcCall] = [
  {
    method: 'eth_feeHistory',
    params: [toQuantity(BLOCKS), 'latest', PRIORITIES.map((priority) => PRIORITY_PERCENTILE[priority])],
  },
  { method: 'eth_maxPriorityFeePerGas', params: [] },
]

/**
 * Reads fee history and suggestion. @throws EndpointFailure on a chain without EIP-1559, because only type 2
 * is ever signed.
 */
export function readFeeMarket(historyAnswer: RpcAnswer, suggestionAnswer: RpcAnswer): FeeMarket {
  const history = toRecord(expectResult(historyAnswer, 'eth_feeHistory'), 'eth_feeHistory')
  const baseFees = toList(history.baseFeePerGas, 'baseFeePerGas')
  const next = baseFees[baseFees.length - 1]
  if (next === undefined) throw new EndpointFailure('eth_feeHistory without a base fee')
  const fullness = toList(history.gasUsedRatio, 'gasUsedRatio')
  const rewards = toList(history.reward ?? [], 'reward').filter((_, index) => fullness[index] !== 0)
  const tipsAt = (column: number) =>
    rewards.map((reward) => toBigInt(toList(reward, 'reward')[column], 'reward'))
  return {
    baseFee: toBigInt(next, 'baseFeePerGas'),
    tips: {
      low: tipsAt(PRIORITIES.indexOf('low')),
      normal: tipsAt(PRIORITIES.indexOf('normal')),
      high: tipsAt(PRIORITIES.indexOf('high')),
      urgent: tipsAt(PRIORITIES.indexOf('urgent')),
    },
    suggestedTip:
      suggestionAnswer instanceof RpcError
        ? FALLBACK_TIP
        : toBigInt(suggestionAnswer, 'eth_maxPriorityFeePerGas'),
  }
}
