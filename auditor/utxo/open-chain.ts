/** Opens a chain of the Bitcoin family through raw JSON-RPC: the tip, hashes and blocks. */

import type { UtxoNetwork } from '../../domain/chain/network.js'
import { AuditFailure } from '../audit-failure.js'
import { type NodeOptions, openNode, type RpcNode } from '../rpc/open-node.js'
import { unlessSilent } from '../unless-silent.js'
import { type AuditedBlock, readBlock } from './read-block.js'

/** A block by height and hash. */
export interface BlockPoint {
  readonly height: number
  readonly hash: string
}

/** Code with which Bitcoin Core refuses a height above its tip. */
const OUT_OF_RANGE = -8

export interface UtxoChain {
  readonly node: RpcNode
  /**
   * Returns the hash of the block at a height. `null` above the tip.
   *
   * @throws AuditFailure `NODE_UNREACHABLE` when the node refuses for another reason.
   */
  hashAt(height: number): Promise<string | null>
  /** Returns the height of the node's head. @throws AuditFailure. */
  tip(): Promise<number>
  /** Returns the block of a hash, proven by it. @throws AuditFailure. */
  block(hash: string): Promise<AuditedBlock>
}

/**
 * Opens the first node that serves the network and has the block in its chain.
 *
 * @throws AuditFailure - The reason of the last node, when none can be used.
 */
export async function openChain(
  network: UtxoNetwork,
  block: BlockPoint,
  options: NodeOptions = {},
): Promise<UtxoChain> {
  let failure = new AuditFailure('NODE_UNREACHABLE', `${network.name} has no node`)
  for (const chain of chainsOf(network, options)) {
    try {
      return await usable(network, chain, block)
    } catch (error) {
      if (!(error instanceof AuditFailure)) throw error
      failure = error
    }
  }
  throw failure
}

/** Opens all nodes that serve the network and have the block in their chains. It may be none. */
export async function openChains(
  network: UtxoNetwork,
  block: BlockPoint,
  options: NodeOptions = {},
): Promise<UtxoChain[]> {
  const chains = await Promise.all(
    chainsOf(network, options).map((chain) => unlessSilent(usable(network, chain, block))),
  )
  return chains.filter((chain) => chain !== null)
}

function chainsOf(network: UtxoNetwork, options: NodeOptions): UtxoChain[] {
  return network.rpcUrls.map((url, index) =>
    chainOf(openNode(url, `node ${index + 1} of ${network.name}`, options)),
  )
}

async function usable(network: UtxoNetwork, chain: UtxoChain, block: BlockPoint): Promise<UtxoChain> {
  await requireChain(network, chain)
  await requireBlock(chain, block)
  return chain
}

/** Opens the chain of a node, which is not checked. */
export function chainOf(node: RpcNode): UtxoChain {
  return {
    node,
    async hashAt(height) {
      const [answer] = await node.send([{ method: 'getblockhash', params: [height] }])
      if (answer?.kind === 'result') return hashIn(answer.value, node)
      if (answer && isAboveTip(answer)) return null
      throw new AuditFailure(
        'NODE_UNREACHABLE',
        `The ${node.label} refuses getblockhash${answer ? ` (error ${answer.code})` : ''}`,
      )
    },
    async tip() {
      const height = await node.ask('getblockcount')
      if (Number.isSafeInteger(height)) return height as number
      throw new AuditFailure('NODE_ANSWERS_WRONG', `The ${node.label} answers getblockcount without a number`)
    },
    async block(hash) {
      const hex = await node.ask('getblock', hash, 0)
      if (typeof hex !== 'string' || !/^(?:[0-9a-f]{2})+$/i.test(hex)) {
        throw new AuditFailure('NODE_ANSWERS_WRONG', `The ${node.label} gave no bytes of block ${hash}`)
      }
      return readBlock(Buffer.from(hex, 'hex'), hash)
    },
  }
}

async function requireChain(network: UtxoNetwork, chain: UtxoChain): Promise<void> {
  for (const { height, hash } of network.landmarks) {
    const found = await chain.hashAt(height)
    // A node that is still below a landmark is behind, which the next check says.
    if (found === null || found.startsWith(hash)) continue
    throw new AuditFailure('NODE_OF_ANOTHER_CHAIN', `The ${chain.node.label} serves another chain`)
  }
}

async function requireBlock(chain: UtxoChain, { height, hash }: BlockPoint): Promise<void> {
  const found = await chain.hashAt(height)
  if (found === hash) return
  const { label } = chain.node
  throw found === null
    ? new AuditFailure(
        'NODE_BEHIND',
        `The ${label} has not reached block ${height}, which the books have scanned`,
      )
    : new AuditFailure(
        'NODE_ON_ANOTHER_BRANCH',
        `The ${label} has ${found} at height ${height}, and the books have ${hash}`,
      )
}

/** Whether a refusal says that the height is above the tip. Nodes use one of two codes and have this text in common. */
function isAboveTip({ code, message }: { readonly code: number; readonly message: string }): boolean {
  return code === OUT_OF_RANGE || /out of range/i.test(message)
}

function hashIn(value: unknown, node: RpcNode): string {
  if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) return value
  throw new AuditFailure('NODE_ANSWERS_WRONG', `The ${node.label} gave something else than a block's hash`)
}
