/**
 * Checks a node of the Bitcoin family before it is used: which chain it serves, and whether it has a
 * transaction index.
 */

import { z } from 'zod'
import type { UtxoNetwork } from '../../../domain/chain/network.js'
import { type NodeChecks, UnusableNode } from '../../guard-node.js'
import type { AskNode } from '../rpc/create-rpc.js'
import { NodeError } from '../rpc/node-error.js'
import { findHashAt } from './find-outcome.js'

const block = z.object({ tx: z.array(z.string()) })
const tip = z.object({ blocks: z.int().nonnegative(), bestblockhash: z.string() })

/** Returns the checks of one node of the network. */
export function nodeChecks(network: UtxoNetwork, ask: AskNode): NodeChecks {
  return { identity: () => compareLandmarks(network, ask), abilities: () => lookUpTransaction(ask) }
}

/**
 * Compares the network's landmarks: the genesis block, and the blocks that distinguish a fork from the chain
 * that it left. A node that has not reached one of them cannot be identified yet, and waits.
 */
async function compareLandmarks(network: UtxoNetwork, ask: AskNode): Promise<void> {
  for (const { height, hash } of network.landmarks) {
    const found = await findHashAt(height, { call: ask })
    if (found === null) {
      throw new Error(
        `it has not reached block ${height}, which distinguishes ${network.name} from other chains; waiting for it`,
      )
    }
    if (!found.startsWith(hash)) {
      throw new UnusableNode(
        'wrong_chain',
        `it serves another chain than ${network.caip2}: its block ${height} is ${found.slice(0, 64)}, not ${hash}…`,
      )
    }
  }
}

/**
 * Looks up a mined transaction, because every input is signed against its whole parent, and each attempt is
 * followed by its id.
 */
async function lookUpTransaction(ask: AskNode): Promise<void> {
  const txid = await coinbaseOfTip(ask)
  if (txid === null) return
  try {
    await ask('getrawtransaction', [txid, 0], z.string())
  } catch (error) {
    if (!(error instanceof NodeError)) throw error
    throw new UnusableNode(
      'no_transaction_lookup',
      `it cannot look up a transaction of its own newest block (${error.nodeMessage.slice(0, 200)}); start it with txindex=1, without pruning`,
    )
  }
}

/**
 * Returns the coinbase of the tip. `null` if the node does not give one: the coinbase of the genesis block is
 * in no index, and not every node has every method.
 */
async function coinbaseOfTip(ask: AskNode): Promise<string | null> {
  try {
    const { blocks, bestblockhash } = await ask('getblockchaininfo', [], tip)
    if (blocks === 0) return null
    return (await ask('getblock', [bestblockhash, 1], block)).tx[0] ?? null
  } catch (error) {
    if (error instanceof NodeError) return null
    throw error
  }
}
