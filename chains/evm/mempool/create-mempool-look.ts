/** Polls for new transactions that no block holds yet. */

import type { MempoolLook, Transfer } from '../../adapter.js'
import { toBigInt, toBytes, toInteger, toList, toRecord } from '../quantity.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { expectResult } from '../rpc/expect-result.js'
import { movesValue } from '../scan/read-transfer-logs.js'
import type { ScanRules } from '../scan/scan-rules.js'
import { type PendingCall, simulateTokenTransfers } from './simulate-token-transfers.js'

interface Pending {
  readonly txid: string
  readonly from: string
  readonly nonce: number
  /** Recipient. `null` creates a contract. */
  readonly to: string | null
  readonly value: bigint
  readonly input: string
}

interface Pool {
  /** Transactions that could be in the next block. */
  readonly ready: readonly Pending[]
  /** Hashes of the transactions behind a gap of nonces. */
  readonly queued: ReadonlySet<string>
}

// Calls of one batch. The next poll makes the others, and until then those transactions count as present.
const MOST_LOOKUPS = 100

/**
 * Creates the mempool poll of a network. It reads the whole pool by `txpool_content` if a node offers it.
 * Otherwise the pending block shows the part that would be mined next, and earlier transactions that are not
 * in it are looked up by hash.
 *
 * Transfers are provisional. A pending native transfer has the ordinal that it will have when mined. A token
 * transfer's ordinal depends on the logs before it (a fee may be logged first), so it comes from executing
 * the call (`eth_simulateV1`). If no node can do that, pending token transfers are left out. Transfers inside
 * contracts' calls show up when mined.
 */
export function createMempoolLook(
  rpc: Rpc,
  rules: ScanRules,
  capabilities: {
    readonly poolContent: () => Promise<boolean>
    readonly simulation: () => Promise<boolean>
  },
): (seen: ReadonlySet<string>) => Promise<MempoolLook> {
  return async (seen) => {
    const whole = await capabilities.poolContent()
    const pool = whole ? await readPool(rpc) : await readPendingBlock(rpc)
    const txids = new Set(pool.ready.map((each) => each.txid))
    const fresh = pool.ready.filter((each) => !seen.has(each.txid))
    const missing = [...seen].filter((txid) => !txids.has(txid))
    if (whole) {
      // Queued transactions are not announced, but one that was announced and fell behind a gap is still
      // there.
      for (const txid of missing) if (pool.queued.has(txid)) txids.add(txid)
    } else {
      for (const txid of await stillPending(rpc, missing)) txids.add(txid)
    }
    const tokens = (await capabilities.simulation())
      ? await simulateTokenTransfers(rpc, rules, tokenCalls(rules, fresh))
      : []
    return {
      txids,
      transfers: [...nativeTransfers(rules, fresh), ...tokens],
      // The chain takes one transaction of an account and nonce, so another one with the same has replaced
      // it.
      spends: fresh.map(({ txid, from, nonce }) => ({ txid, prevTxid: from, prevVout: nonce })),
    }
  }
}

async function readPool(rpc: Rpc): Promise<Pool> {
  return rpc.ask([{ method: 'txpool_content', params: [] }], ({ answers }) => {
    const content = toRecord(expectResult(answers[0], 'txpool_content'), 'txpool_content')
    const flatten = (part: unknown) =>
      Object.values(toRecord(part, 'txpool_content')).flatMap((byNonce) =>
        Object.values(toRecord(byNonce, 'txpool_content')),
      )
    return {
      ready: flatten(content.pending).map(readPending),
      queued: new Set(flatten(content.queued).map((each) => readPending(each).txid)),
    }
  })
}

async function readPendingBlock(rpc: Rpc): Promise<Pool> {
  return rpc.ask([{ method: 'eth_getBlockByNumber', params: ['pending', true] }], ({ answers }) => {
    const block = expectResult(answers[0], 'eth_getBlockByNumber')
    // Nodes that build no pending block answer null.
    const transactions = block === null ? [] : toList(toRecord(block, 'block').transactions, 'transactions')
    return { ready: transactions.map(readPending), queued: new Set<string>() }
  })
}

async function stillPending(rpc: Rpc, txids: readonly string[]): Promise<readonly string[]> {
  const asked = txids.slice(0, MOST_LOOKUPS)
  if (asked.length === 0) return []
  const there = await rpc.ask(
    asked.map((txid) => ({ method: 'eth_getTransactionByHash', params: [txid] })),
    ({ answers }) =>
      asked.filter((_, index) => {
        const transaction = expectResult(answers[index], 'eth_getTransactionByHash')
        if (transaction === null) return false
        const { blockNumber } = toRecord(transaction, 'transaction')
        return blockNumber === null || blockNumber === undefined
      }),
  )
  return [...there, ...txids.slice(MOST_LOOKUPS)]
}

function readPending(value: unknown): Pending {
  const transaction = toRecord(value, 'pending transaction')
  const { to, input } = transaction
  return {
    txid: toBytes(transaction.hash, 32, 'transaction hash'),
    from: toBytes(transaction.from, 20, 'from'),
    nonce: toInteger(transaction.nonce, 'nonce'),
    to: to === null || to === undefined ? null : toBytes(to, 20, 'to'),
    value: toBigInt(transaction.value, 'value'),
    input: typeof input === 'string' ? input : '0x',
  }
}

function nativeTransfers(rules: ScanRules, pending: readonly Pending[]): Transfer[] {
  return pending.flatMap(({ txid, from, to, value }) =>
    to !== null && movesValue({ from, to, amount: value })
      ? [
          {
            txid,
            index: 0,
            payee: to.slice(2),
            coin: rules.nativeCoin,
            amount: value,
            origin: { payer: from, fee: null },
          },
        ]
      : [],
  )
}

/**
 * Returns calls of configured tokens. Pool (whose keys are nonces) and pending block list each sender's in
 * the order of nonces.
 */
function tokenCalls(rules: ScanRules, pending: readonly Pending[]): PendingCall[] {
  return pending
    .filter((each) => each.to !== null && rules.tokens.has(each.to) && each.input !== '0x')
    .flatMap(({ txid, from, to, value, input }) => (to === null ? [] : [{ txid, from, to, value, input }]))
}
