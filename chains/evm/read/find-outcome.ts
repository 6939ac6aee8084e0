/** Finds the outcome of a transaction. */

import { decodeFunctionData, erc20Abi } from 'viem'
import type { TransactionOutcome } from '../../adapter.js'
import { toBytes, toInteger, toRecord } from '../quantity.js'
import type { Answers } from '../rpc/create-endpoint.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { expectResult } from '../rpc/expect-result.js'
import { UnsettledAnswers } from '../rpc/rpc-error.js'
import { succeeded } from '../scan/parse-block.js'
import { readTransferLogs } from '../scan/read-transfer-logs.js'
import type { ScanRules } from '../scan/scan-rules.js'
import { feePaid } from './fee-paid.js'

/**
 * Finds a transaction in a block or the mempool. `unknown` only if no endpoint knows it.
 *
 * `succeeded` is false on status 0, and for a token's `transfer` also if the log that must report it is
 * missing: some tokens return false instead of reverting, and a contract without code succeeds at everything.
 * The amount is not compared, because a token may keep a fee.
 */
export function findOutcome(rpc: Rpc, rules: ScanRules, txid: string): Promise<TransactionOutcome> {
  return rpc.ask(
    [
      { method: 'eth_getTransactionReceipt', params: [txid] },
      { method: 'eth_getTransactionByHash', params: [txid] },
      { method: 'eth_blockNumber', params: [] },
    ],
    (answers) => readOutcome(rules, answers),
    { until: (outcome) => outcome.kind !== 'unknown' },
  )
}

function readOutcome(rules: ScanRules, { answers }: Answers): TransactionOutcome {
  const found = expectResult(answers[0], 'eth_getTransactionReceipt')
  const known = expectResult(answers[1], 'eth_getTransactionByHash')
  if (found === null) return { kind: known === null ? 'unknown' : 'mempool' }
  if (known === null) throw new UnsettledAnswers('a receipt without its transaction')
  const receipt = toRecord(found, 'receipt')
  const transaction = toRecord(known, 'transaction')
  const height = toInteger(receipt.blockNumber, 'blockNumber')
  const arrived = arrivedBy(rules, transaction, receipt)
  const head = toInteger(expectResult(answers[2], 'eth_blockNumber'), 'eth_blockNumber')
  return {
    kind: 'mined',
    block: { height, hash: toBytes(receipt.blockHash, 32, 'blockHash') },
    // Behind a load balancer the head may come from a node that is behind the others.
    confirmations: Math.max(1, head - height + 1),
    fee: feePaid(receipt),
    succeeded: succeeded(receipt) && arrived !== 'nothing',
    ...(typeof arrived === 'bigint' ? { arrived } : {}),
  }
}

/**
 * Returns what the recipient of a token's transfer received by the logs; `nothing` without a log. `null` if
 * it is no such transfer.
 */
function arrivedBy(
  rules: ScanRules,
  transaction: Readonly<Record<string, unknown>>,
  receipt: Readonly<Record<string, unknown>>,
): bigint | 'nothing' | null {
  const { to, input } = transaction
  const coin = typeof to === 'string' ? rules.tokens.get(to.toLowerCase()) : undefined
  if (coin === undefined) return null
  const recipient = transferRecipient(input)
  if (recipient === null) return null
  const from = toBytes(transaction.from, 20, 'from')
  const logs = readTransferLogs(rules, receipt.logs).filter(
    (log) => log.coin === coin && log.from === from && log.to === recipient,
  )
  return logs.length === 0 ? 'nothing' : logs.reduce((sum, log) => sum + log.amount, 0n)
}

function transferRecipient(input: unknown): string | null {
  if (typeof input !== 'string' || !input.startsWith('0xa9059cbb')) return null
  try {
    const call = decodeFunctionData({ abi: erc20Abi, data: input as `0x${string}` })
    return call.functionName === 'transfer' ? call.args[0].toLowerCase() : null
  } catch {
    return null
  }
}
