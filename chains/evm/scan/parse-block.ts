/** Makes one block out of a node's answers, and checks that they belong together. */

import type { Block, Charge, Grant, Transfer } from '../../adapter.js'
import { toBigInt, toBytes, toInteger, toList, toRecord } from '../quantity.js'
import { feePaid } from '../read/fee-paid.js'
import { EndpointFailure, MissingReceipts, UnsettledAnswers } from '../rpc/rpc-error.js'
import { groupTraces, type NativeMovement, nativeMovements } from './read-traces.js'
import { movesValue, tokenTransfers } from './read-transfer-logs.js'
import type { ScanRules } from './scan-rules.js'

type Receipt = Readonly<Record<string, unknown>>

/** Answers of a node about one height. */
export interface BlockAnswers {
  /**
   * Answer of `eth_getBlockByNumber`: with whole transactions, or with their hashes alone if there are
   * traces.
   */
  readonly block: unknown
  /** Answer of `eth_getBlockReceipts`: status, and each log's place in its own receipt. */
  readonly receipts: unknown
  /** Answer of `trace_block`. `null` if the node has none, and internal transfers stay unseen. */
  readonly traces: unknown
  /** Answers about single transactions that `receipts` leaves out. */
  readonly missing?: ReadonlyMap<string, MissingAnswers>
}

/** Answers of a node about one transaction. */
export interface MissingAnswers {
  /** Answer of `eth_getTransactionReceipt`. */
  readonly receipt: unknown
  /** Answer of `eth_getTransactionByHash`. */
  readonly transaction: unknown
}

/** Most transactions of the chain itself in a block. More without a receipt are the sign of a reorg. */
const MOST_MISSING = 8
const WEI_PER_GWEI = 1_000_000_000n

/**
 * Parses and cross-checks a block. The calls of one batch may fall on both sides of a reorg, so receipts and
 * traces must carry the block's hash and cover its transactions.
 *
 * @returns `null` if the node does not have the block.
 * @throws UnsettledAnswers if the parts do not belong together; MissingReceipts if some must be requested by
 * themselves; EndpointFailure if they are malformed or incomplete.
 */
export function parseBlock(rules: ScanRules, height: number, answers: BlockAnswers): Block | null {
  if (answers.block === null) return null
  const block = toRecord(answers.block, 'block')
  const hash = toBytes(block.hash, 32, 'block hash')
  if (toInteger(block.number, 'block number') !== height)
    throw new EndpointFailure('another block than asked')
  const transactions = toList(block.transactions, 'transactions')
  if (answers.receipts === null) throw new UnsettledAnswers('no receipts yet')
  const receipts = readReceipts(answers.receipts, hash)
  const traces = answers.traces === null ? null : groupTraces(answers.traces, hash)

  const txids: string[] = []
  const transfers: Transfer[] = []
  const charges: Charge[] = []
  // Nodes of chains that act by themselves (Polygon's state syncs) may list such a transaction in one place
  // only.
  const listed = new Map<string, unknown>()
  for (const transaction of transactions) {
    const id = typeof transaction === 'string' ? transaction : toRecord(transaction, 'transaction').hash
    listed.set(toBytes(id, 32, 'transaction hash'), transaction)
  }
  completeReceipts(rules, hash, listed.keys(), receipts, answers.missing)
  for (const txid of receipts.keys()) if (!listed.has(txid)) listed.set(txid, { to: null })
  for (const [txid, transaction] of listed) {
    txids.push(txid)
    const receipt = receipts.get(txid)
    if (!receipt) continue
    const fee = feeOnce(receipt)
    if (typeof receipt.from === 'string') {
      charges.push({ txid, payer: toBytes(receipt.from, 20, 'from').slice(2), amount: fee() ?? 0n })
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
    for (const transfer of tokenTransfers(rules, txid, receipt.logs, fee)) transfers.push(transfer)
  }
  return {
    height,
    hash,
    parentHash: toBytes(block.parentHash, 32, 'parentHash'),
    time: toInteger(block.timestamp, 'timestamp'),
    transfers,
    spends: [],
    txids,
    grants: readGrants(block.withdrawals),
    charges,
  }
}

/** Reads withdrawals of validators (EIP-4895), whose amounts are in gwei. */
function readGrants(withdrawals: unknown): Grant[] {
  if (withdrawals === undefined || withdrawals === null) return []
  return toList(withdrawals, 'withdrawals').map((each) => {
    const { address, amount, index } = toRecord(each, 'withdrawal')
    return {
      payee: toBytes(address, 20, 'withdrawal address').slice(2),
      amount: toBigInt(amount, 'withdrawal amount') * WEI_PER_GWEI,
      reference: toBigInt(index, 'withdrawal index').toString(),
    }
  })
}

/**
 * Returns the receipts by transaction. @throws UnsettledAnswers if one belongs to another block than `hash`.
 */
function readReceipts(answer: unknown, hash: string): Map<string, Receipt> {
  const receipts = new Map<string, Receipt>()
  for (const each of toList(answer, 'receipts')) {
    const receipt = toRecord(each, 'receipt')
    if (receipt.blockHash !== hash) throw new UnsettledAnswers('receipts of another block')
    receipts.set(toBytes(receipt.transactionHash, 32, 'transaction hash'), receipt)
  }
  return receipts
}

/**
 * Adds the receipts that the list leaves out. A transaction of the chain itself may have none.
 *
 * @throws MissingReceipts while they were not requested; EndpointFailure if one is not available.
 */
function completeReceipts(
  rules: ScanRules,
  hash: string,
  txids: Iterable<string>,
  receipts: Map<string, Receipt>,
  missing: ReadonlyMap<string, MissingAnswers> | undefined,
): void {
  const without = [...txids].filter((txid) => !receipts.has(txid))
  if (without.length === 0) return
  if (without.length > MOST_MISSING) throw new UnsettledAnswers('receipts of another block')
  const unasked = without.filter((txid) => !missing?.has(txid))
  if (unasked.length > 0) throw new MissingReceipts(without)
  for (const txid of without) {
    const { receipt, transaction } = missing?.get(txid) ?? { receipt: null, transaction: null }
    if (receipt !== null) {
      const found = toRecord(receipt, 'receipt')
      if (found.blockHash !== hash) throw new UnsettledAnswers('receipts of another block')
      receipts.set(txid, found)
    } else if (
      transaction === null ||
      !rules.systemSenders.has(toBytes(toRecord(transaction, 'transaction').from, 20, 'from'))
    ) {
      throw new EndpointFailure(`no receipt of ${txid}`)
    }
  }
}

/**
 * Returns the status of a receipt (EIP-658). A receipt without one is refused: a guess could credit a failed
 * transfer.
 */
export function succeeded(receipt: Readonly<Record<string, unknown>>): boolean {
  return toInteger(receipt.status, 'receipt status') === 1
}

/** Returns a function that reads the fee once. Bookkeeping transactions of some chains name no price. */
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
  // Some chains have bookkeeping transactions that run nothing. For all others a node that answers with no
  // traces (pruned, or still indexing) would hide transfers, so it is not believed.
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
