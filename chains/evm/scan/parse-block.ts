/** One block out of a node's answers, checked to be of one piece. */

import type { Block, Charge, Transfer } from '../../adapter.js'
import { toBigInt, toBytes, toInteger, toList, toRecord } from '../quantity.js'
import { feePaid } from '../read/fee-paid.js'
import { EndpointFailure, UnsettledAnswers } from '../rpc/rpc-error.js'
import { groupTraces, type NativeMovement, nativeMovements } from './read-traces.js'
import { movesValue, tokenTransfers } from './read-transfer-logs.js'
import type { ScanRules } from './scan-rules.js'

/** What a node answered about one height. */
export interface BlockAnswers {
  /** `eth_getBlockByNumber`: with whole transactions, or with their hashes alone where there are traces. */
  readonly block: unknown
  /** `eth_getBlockReceipts`: status, and each log's place in its own receipt. */
  readonly receipts: unknown
  /** `trace_block`; null where the node has none, and internal transfers stay unseen. */
  readonly traces: unknown
}

/**
 * Parses and cross-checks a block. The calls of one batch may fall on both sides of a reorg, so receipts and traces must carry
 * the block's hash and cover its transactions.
 *
 * @returns null when the node does not have the block.
 * @throws UnsettledAnswers when the parts do not belong together; EndpointFailure when they are malformed or incomplete.
 */
export function parseBlock(rules: ScanRules, height: number, answers: BlockAnswers): Block | null {
  if (answers.block === null) return null
  const block = toRecord(answers.block, 'block')
  const hash = toBytes(block.hash, 32, 'block hash')
  if (toInteger(block.number, 'block number') !== height)
    throw new EndpointFailure('another block than asked')
  const transactions = toList(block.transactions, 'transactions')
  if (answers.receipts === null) throw new UnsettledAnswers('no receipts yet')
  const receipts = toList(answers.receipts, 'receipts')
  if (receipts.length !== transactions.length) throw new UnsettledAnswers('receipts of another block')
  const traces = answers.traces === null ? null : groupTraces(answers.traces, hash)

  const txids: string[] = []
  const transfers: Transfer[] = []
  const charges: Charge[] = []
  for (const [position, transaction] of transactions.entries()) {
    const receipt = toRecord(receipts[position], 'receipt')
    const txid = toBytes(
      typeof transaction === 'string' ? transaction : toRecord(transaction, 'transaction').hash,
      32,
      'transaction hash',
    )
    if (receipt.blockHash !== hash || receipt.transactionHash !== txid) {
      throw new UnsettledAnswers('receipts of another block')
    }
    txids.push(txid)
    const fee = feeOnce(receipt)
    const charge = fee()
    if (charge && typeof receipt.from === 'string') {
      charges.push({ txid, payer: toBytes(receipt.from, 20, 'from').slice(2), amount: charge })
    }
    if (!succeeded(receipt)) continue
    const native = traces
      ? tracedMovements(traces.get(txid), receipt)
      : ownValue(toRecord(transaction, 'transaction'))
    for (const movement of native) {
      if (!movesValue(movement)) continue
      transfers.push({
        txid,
        index: movement.index,
        payee: movement.to.slice(2),
        coin: rules.nativeCoin,
        amount: movement.amount,
        origin: { payer: movement.from, fee: fee() },
      })
    }
    transfers.push(...tokenTransfers(rules, txid, receipt.logs, fee))
  }
  return {
    height,
    hash,
    parentHash: toBytes(block.parentHash, 32, 'parentHash'),
    time: toInteger(block.timestamp, 'timestamp'),
    transfers,
    spends: [],
    txids,
    charges,
  }
}

/** Status of a receipt (EIP-658). A receipt without one is refused: guessing would credit what failed. */
export function succeeded(receipt: Readonly<Record<string, unknown>>): boolean {
  return toInteger(receipt.status, 'receipt status') === 1
}

/** Read once a transaction; bookkeeping transactions of some chains name no price. */
function feeOnce(receipt: Readonly<Record<string, unknown>>): () => bigint | null {
  let fee: bigint | null | undefined
  return () => {
    if (fee === undefined) fee = receipt.effectiveGasPrice === undefined ? null : feePaid(receipt)
    return fee
  }
}

function tracedMovements(
  traces: Parameters<typeof nativeMovements>[0] | undefined,
  receipt: Readonly<Record<string, unknown>>,
): NativeMovement[] {
  if (traces) return nativeMovements(traces)
  // Some chains have bookkeeping transactions that run nothing. For all others a node that answers with no traces (pruned,
  // or still indexing) would hide transfers, so it is not believed.
  if (toBigInt(receipt.gasUsed, 'gasUsed') === 0n) return []
  throw new EndpointFailure('trace_block left a transaction out')
}

function ownValue(transaction: Readonly<Record<string, unknown>>): NativeMovement[] {
  if (transaction.to === null || transaction.to === undefined) return []
  const amount = toBigInt(transaction.value, 'value')
  if (amount === 0n) return []
  const from = toBytes(transaction.from, 20, 'from')
  return [{ index: 0, from, to: toBytes(transaction.to, 20, 'to'), amount }]
}
