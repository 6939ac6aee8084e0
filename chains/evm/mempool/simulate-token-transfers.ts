/** Finds what pending calls of tokens would log, by executing them. */

import type { Transfer } from '../../adapter.js'
import { toInteger, toList, toQuantity, toRecord } from '../quantity.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { expectResult } from '../rpc/expect-result.js'
import { RpcError } from '../rpc/rpc-error.js'
import { tokenTransfers } from '../scan/read-transfer-logs.js'
import type { ScanRules } from '../scan/scan-rules.js'

export interface PendingCall {
  readonly txid: string
  readonly from: string
  readonly to: string
  readonly value: bigint
  readonly input: string
}

// Most calls: a simulated block must stay below the block gas limit, and one poll below a second. 200 token
// transfers are about 12 M gas.
const MOST_CALLS = 200

/**
 * Executes the calls one after another on the latest state (`eth_simulateV1`, without checks of nonce and gas
 * price) and reads their logs: real positions and real amounts. Calls that would fail give nothing. This only
 * detects a deposit; what is credited is read from the block.
 */
export async function simulateTokenTransfers(
  rpc: Rpc,
  rules: ScanRules,
  pending: readonly PendingCall[],
): Promise<Transfer[]> {
  const asked = pending.slice(0, MOST_CALLS)
  if (asked.length === 0) return []
  const calls = asked.map(({ from, to, value, input }) => ({ from, to, value: toQuantity(value), input }))
  const request = {
    method: 'eth_simulateV1',
    params: [{ blockStateCalls: [{ calls }], validation: false }, 'latest'],
  }
  return rpc.ask([request], ({ answers }) => {
    // A refusal (gas limit of the block, missing state) only means that these are first seen in a block.
    if (answers[0] instanceof RpcError) return []
    const [block] = toList(expectResult(answers[0], 'eth_simulateV1'), 'simulation')
    const results = toList(toRecord(block, 'simulation').calls, 'simulation')
    return asked.flatMap(({ txid }, index) => {
      const result = toRecord(results[index], 'simulated call')
      if (toInteger(result.status, 'simulated status') !== 1) return []
      return tokenTransfers(rules, txid, result.logs, () => null)
    })
  })
}
