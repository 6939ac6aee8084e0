/** Finds the blocks and transactions of coins that lie on an EVM address and are not in the books. */

import { AuditFailure } from './audit-failure.js'
import type { AccountsAt } from './evm/open-accounts.js'
import { paymentsIn } from './evm/payments-in.js'
import { toUnits } from './evm/to-units.js'

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

/**
 * Searches by halving: a range whose surplus at both ends is the same has no missed deposit.
 *
 * @throws AuditFailure `NODE_WITHOUT_STATE` when the node does not keep the balances of old blocks.
 */
export async function findMissedDeposits(at: AccountsAt, surplus: Surplus): Promise<MissedDeposit[]> {
  const known = new Map<number, bigint>()
  const surplusAt = async (height: number): Promise<bigint> => {
    const before = known.get(height)
    if (before !== undefined) return before
    const value = (await balanceAt(at, surplus, height)) - (await surplus.explainedAt(height))
    known.set(height, value)
    return value
  }
  const found: MissedDeposit[] = []
  // Ranges to search, the newest last.
  const ranges: (readonly [number, number])[] = [[Math.max(0, surplus.lowest - 1), at.block.height]]
  while (ranges.length > 0 && found.length < MOST) {
    const [low, high] = ranges.pop() as readonly [number, number]
    const rise = (await surplusAt(high)) - (await surplusAt(low))
    if (rise === 0n || low >= high) continue
    if (high - low === 1) {
      if (rise > 0n)
        found.push({ height: high, amount: rise, txids: await paymentsIn(at.node, surplus, high) })
      continue
    }
    const middle = Math.floor((low + high) / 2)
    ranges.push([low, middle], [middle, high])
  }
  return found
}

/** Returns the balance at a height. The caller's block, which is pinned by its hash, is above it on the same chain. */
async function balanceAt(at: AccountsAt, { address, contract }: Surplus, height: number): Promise<bigint> {
  if (height === at.block.height) {
    const [balance] = await at.balances([{ address, contract }])
    return balance ?? 0n
  }
  const hash = await hashAt(at, height)
  const [balance] = await at.balancesAt({ height, hash }, [{ address, contract }])
  return balance ?? 0n
}

async function hashAt({ node }: AccountsAt, height: number): Promise<string> {
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
