/** Finds the blocks and transactions of coins that lie on an EVM address and are not in the books. */

import { AuditFailure } from './audit-failure.js'
import { type AccountsAt, askBalances, type BlockPoint } from './evm/open-accounts.js'
import { paymentsIn } from './evm/payments-in.js'
import { toUnits } from './evm/to-units.js'
import type { RpcNode } from './rpc/open-node.js'

/** An address whose balance is above what the books explain. */
export interface Surplus {
  readonly address: string
  /** Token, or `null` for the native coin. */
  readonly contract: string | null
  /** Returns what the books explain at a block, in base units. */
  readonly explainedAt: (height: number) => Promise<bigint>
  /** The lowest block of which the books know anything. */
  readonly lowest: number
}

/** A rise that the books do not have. */
export interface MissedDeposit {
  readonly height: number
  /** Base units by which the surplus rose in the block. */
  readonly amount: bigint
  /** Transactions in the block that paid the address directly. Empty for transfers by contracts, in the native coin. */
  readonly txids: readonly string[]
}

/** Rises that one search finds at most. A rescan of their blocks, and another search, find the others. */
const MOST = 20

/** Searches at one node. */
interface Search {
  readonly node: RpcNode
  readonly top: BlockPoint
  readonly surplus: Surplus
}

/**
 * Searches by halving: a range whose surplus at both ends is the same has no missed deposit. Every node that keeps the
 * balances of old blocks searches, and all must find the same. So none hides a deposit, and none invents one.
 *
 * @throws AuditFailure `NODE_WITHOUT_STATE` when no node keeps the balances of old blocks, `NODES_DISAGREE`.
 */
export async function findMissedDeposits(at: AccountsAt, surplus: Surplus): Promise<MissedDeposit[]> {
  // The books may move on between two searches, so each height is explained once.
  const explained = new Map<number, Promise<bigint>>()
  const explainedAt = (height: number): Promise<bigint> => {
    const found = explained.get(height) ?? surplus.explainedAt(height)
    explained.set(height, found)
    return found
  }
  let failure: AuditFailure | undefined
  let first: { readonly node: RpcNode; readonly found: readonly MissedDeposit[] } | undefined
  for (const node of [at.node, ...at.witnesses]) {
    try {
      const found = await search({ node, top: at.block, surplus: { ...surplus, explainedAt } })
      first ??= { node, found }
      if (!isSame(found, first.found)) throw disagreement(first.node, node, surplus.address)
    } catch (error) {
      if (!(error instanceof AuditFailure) || error.code === 'NODES_DISAGREE') throw error
      failure ??= error
    }
  }
  if (first) return [...first.found]
  throw failure ?? new AuditFailure('NODE_UNREACHABLE', 'The network has no node')
}

async function search({ node, top, surplus }: Search): Promise<MissedDeposit[]> {
  const known = new Map<number, bigint>()
  const surplusAt = async (height: number): Promise<bigint> => {
    const before = known.get(height)
    if (before !== undefined) return before
    const value = (await balanceAt(node, top, surplus, height)) - (await surplus.explainedAt(height))
    known.set(height, value)
    return value
  }
  const found: MissedDeposit[] = []
  // Ranges to search, the newest last.
  const ranges: (readonly [number, number])[] = [[Math.max(0, surplus.lowest - 1), top.height]]
  while (ranges.length > 0 && found.length < MOST) {
    const [low, high] = ranges.pop() as readonly [number, number]
    const rise = (await surplusAt(high)) - (await surplusAt(low))
    if (rise === 0n || low >= high) continue
    if (high - low === 1) {
      if (rise > 0n) found.push({ height: high, amount: rise, txids: await paymentsIn(node, surplus, high) })
      continue
    }
    const middle = Math.floor((low + high) / 2)
    ranges.push([low, middle], [middle, high])
  }
  return found
}

function isSame(found: readonly MissedDeposit[], others: readonly MissedDeposit[]): boolean {
  const named = (list: readonly MissedDeposit[]) =>
    list.map(({ height, amount, txids }) => `${height} ${amount} ${txids.join()}`).join(';')
  return named(found) === named(others)
}

function disagreement(one: RpcNode, other: RpcNode, address: string): AuditFailure {
  return new AuditFailure(
    'NODES_DISAGREE',
    `The ${one.label} and the ${other.label.split(' of ')[0]} name different deposits of ${address}`,
  )
}

/** Returns the balance at a height. The top block, which is pinned by its hash, is above it on the same chain. */
async function balanceAt(
  node: RpcNode,
  top: BlockPoint,
  { address, contract }: Surplus,
  height: number,
): Promise<bigint> {
  const hash = height === top.height ? top.hash : await hashAt(node, height)
  const [balance] = await askBalances(node, { height, hash }, [{ address, contract }])
  return balance ?? 0n
}

async function hashAt(node: RpcNode, height: number): Promise<string> {
  const block = (await node.ask('eth_getBlockByNumber', `0x${height.toString(16)}`, false)) as {
    hash?: unknown
    number?: unknown
  } | null
  if (
    typeof block?.hash === 'string' &&
    toUnits(block.number, node, 'eth_getBlockByNumber') === BigInt(height)
  )
    return block.hash
  throw new AuditFailure('NODE_ANSWERS_WRONG', `The ${node.label} has no block ${height}`)
}
