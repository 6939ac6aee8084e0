/**
 * Checks an EVM node before it is used: which chain it serves, and whether it can find transactions by their
 * hash.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { EvmNetwork } from '../../../domain/chain/network.js'
import { type NodeChecks, UnusableNode } from '../../guard-node.js'
import { toBigInt, toBytes, toInteger, toList, toQuantity, toRecord } from '../quantity.js'
import { expectResult } from './expect-result.js'
import type { RpcAnswer, RpcCall } from './rpc-call.js'
import { RpcError } from './rpc-error.js'

/** Sends a batch to the one node that is checked. */
type AskNode = (calls: readonly RpcCall[]) => Promise<readonly RpcAnswer[]>

/**
 * Blocks below the head in which a transaction is looked up: indexes are behind at the tip, and cut off at
 * some depth.
 */
const DEPTHS = [1, 16, 256, 2_048] as const
/** Attempts. A block that leaves the chain between two questions takes its transactions with it. */
const ATTEMPTS = 3
const PAUSE_MS = 250

/** Returns the checks of one node of the network. */
export function nodeChecks(network: EvmNetwork, ask: AskNode): NodeChecks {
  return { identity: () => compareChain(network, ask), abilities: () => lookUpTransactions(network, ask) }
}

async function compareChain(network: EvmNetwork, ask: AskNode): Promise<void> {
  const { chainId, genesisHash } = network
  const [served, first] = await ask([
    { method: 'eth_chainId', params: [] },
    ...(genesisHash === null ? [] : [{ method: 'eth_getBlockByNumber', params: ['0x0', false] }]),
  ])
  const servedId = toBigInt(expectResult(served, 'eth_chainId'), 'eth_chainId')
  if (servedId !== BigInt(chainId)) {
    throw new UnusableNode('wrong_chain', `it serves chain ${servedId}, not ${chainId}`)
  }
  if (genesisHash === null) return
  const block = toRecord(expectResult(first, 'eth_getBlockByNumber'), 'block 0')
  const hash = toBytes(block.hash, 32, 'block hash')
  if (hash !== genesisHash) {
    throw new UnusableNode(
      'wrong_chain',
      `it serves another chain of id ${chainId}: its block 0 is ${hash}, not ${genesisHash}`,
    )
  }
}

/**
 * Looks up one transaction in each of some blocks. Each attempt's outcome is requested by its hash, and from
 * a node without a complete index "unknown" would mean nothing.
 */
async function lookUpTransactions(network: EvmNetwork, ask: AskNode): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const missing = await findMissing(network, ask)
    if (missing === null) return
    if (attempt === ATTEMPTS) {
      throw new UnusableNode(
        'no_transaction_lookup',
        `it cannot look up transactions by their hash (${missing}); let it keep its whole transaction index`,
      )
    }
    await sleep(PAUSE_MS)
  }
}

/**
 * Returns what the node could not find of its own blocks. `null` if it found everything, or has no
 * transaction yet.
 */
async function findMissing(network: EvmNetwork, ask: AskNode): Promise<string | null> {
  const [answer] = await ask([{ method: 'eth_blockNumber', params: [] }])
  if (typeof answer !== 'string') return null
  const head = toInteger(answer, 'eth_blockNumber')
  const heights = DEPTHS.map((depth) => head - depth).filter((height) => height > 0)
  if (heights.length === 0) return null
  const blocks = await ask(
    heights.map((height) => ({ method: 'eth_getBlockByNumber', params: [toQuantity(height), false] })),
  )
  const found = blocks.flatMap((block, index) => {
    const hash = lookedUp(network, block)
    return hash === null ? [] : [{ height: heights[index], hash }]
  })
  if (found.length === 0) return null
  const answers = await ask(
    found.flatMap(({ hash }) => [
      { method: 'eth_getTransactionByHash', params: [hash] },
      { method: 'eth_getTransactionReceipt', params: [hash] },
    ]),
  )
  if (network.l1FeeOracle === null && answers.some(hasL1Fee)) {
    throw new UnusableNode(
      'unknown_fee',
      'its receipts show a fee of the parent chain (OP-Stack), which no limit would reckon with; set l1_fee_oracle of the network',
    )
  }
  for (const [index, { height, hash }] of found.entries()) {
    for (const [offset, what] of ['transaction', 'receipt'].entries()) {
      const each = answers[index * 2 + offset]
      if (each instanceof RpcError)
        return `${what} ${hash} of its block ${height}: ${each.message.slice(0, 200)}`
      if (each === null || each === undefined)
        return `it does not know ${what} ${hash} of its own block ${height}`
    }
  }
  return null
}

/**
 * Returns the last transaction of a block. If the chain itself acts at the end of blocks, and may leave no
 * receipt, it returns the first of several.
 */
function lookedUp(network: EvmNetwork, block: RpcAnswer): string | null {
  if (block === null || block instanceof RpcError) return null
  const transactions = toList(toRecord(block, 'block').transactions, 'transactions')
  const chainActs = (network.systemSenders ?? []).length > 0
  const hash = chainActs ? (transactions.length > 1 ? transactions[0] : undefined) : transactions.at(-1)
  return hash === undefined ? null : toBytes(hash, 32, 'transaction hash')
}

function hasL1Fee(answer: RpcAnswer): boolean {
  if (typeof answer !== 'object' || answer === null || answer instanceof RpcError) return false
  const { l1Fee } = answer as { l1Fee?: unknown }
  return l1Fee !== undefined && l1Fee !== null
}
