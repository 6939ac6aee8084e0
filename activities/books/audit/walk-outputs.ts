/** Brings the auditor's own record of outputs up to a block: it reads what is new, and nothing twice. */

import { AuditFailure } from '../../../auditor/audit-failure.js'
import { addressOfOutput } from '../../../auditor/utxo/address-of-output.js'
import type { BlockPoint, UtxoChain } from '../../../auditor/utxo/open-chain.js'
import { type WalkedBlock, walkChain } from '../../../auditor/utxo/walk-chain.js'
import { coversBlock } from '../../../db/auditor/covers-block.js'
import { findIssued } from '../../../db/auditor/find-issued.js'
import { storeWalked, type WalkedOutputRow } from '../../../db/auditor/store-walked.js'
import {
  countPaidBefore,
  lockWalked,
  lowestKnownBlock,
  readWalked,
  rewindWalked,
  type WalkedChain,
  walkedBlocks,
} from '../../../db/auditor/walked-chain.js'
import { inTransaction, type Sql } from '../../../db/connect.js'
import type { UtxoNetwork } from '../../../domain/chain/network.js'

export interface WalkOptions {
  readonly signal?: AbortSignal
  /** Says after each commit whether the walk shall pause. Default: never. */
  readonly isSliceOver?: () => boolean
  /** Receives the height after each commit. */
  readonly onProgress?: (height: number) => void
}

/** Blocks that one transaction stores at most, and outputs from which on it stores fewer. */
const BLOCKS = 50
const OUTPUTS = 20_000
/** Hashes that are compared at a time to find a fork. */
const STEP = 100

/**
 * Walks up to a block of the chain. Runs may overlap: one whose place has moved meanwhile reads on from there.
 *
 * @returns `paused` when its slice was over before it arrived.
 * @throws AuditFailure of the node.
 */
export async function walkOutputs(
  sql: Sql,
  network: UtxoNetwork,
  chain: UtxoChain,
  to: BlockPoint,
  options: WalkOptions = {},
): Promise<'arrived' | 'paused'> {
  for (;;) {
    const from = await placeToBegin(sql, network, chain, to)
    if (from.height >= to.height) return 'arrived'
    const end = await walkFrom(sql, network, chain, from, to, options)
    if (end !== 'moved') return end
  }
}

interface Place {
  readonly height: number
  readonly hash: string | null
  /** As in `WalkedChain`. */
  readonly paidBefore: number
}

/**
 * Returns the last walked block that the node has in its chain, and forgets what was seen above it. A record that
 * reaches up to the block stays as it is. All is read again when the books have learned of a block below the first
 * one that was walked, or of addresses that were paid in blocks before they were stored.
 *
 * @throws AuditFailure `NODE_BEHIND`. A node that does not name a hash says nothing about a fork.
 */
async function placeToBegin(
  sql: Sql,
  network: UtxoNetwork,
  chain: UtxoChain,
  to: BlockPoint,
): Promise<Place> {
  const walked = await readWalked(sql, network.name)
  const known = await lowestKnownBlock(sql, network.name)
  const paidBefore = await countPaidBefore(sql, network.name)
  const lowest = Math.min(network.startHeight ?? Infinity, known ?? Infinity)
  if (walked) {
    const whole = walked.firstBlock <= lowest && walked.paidBefore >= paidBefore
    if (whole && (await coversBlock(sql, network.name, to))) return walked
    if (whole && (await hashOf(chain, walked.height, to)) === walked.hash) return walked
    const fork = whole ? await findFork(sql, network, chain, walked, to) : null
    await inTransaction(sql, async (tx) => {
      const now = await lockWalked(tx, network.name)
      if (now?.height === walked.height && now.hash === walked.hash)
        await rewindWalked(tx, network.name, fork)
    })
    if (fork) return { ...fork, paidBefore: walked.paidBefore }
  }
  return { height: Math.min(lowest, to.height) - 1, hash: null, paidBefore }
}

/** Returns the hash of a walked block on the node's chain. `null` above its tip, where the node has `to`. */
async function hashOf(chain: UtxoChain, height: number, to: BlockPoint): Promise<string | null> {
  const hash = await chain.hashAt(height)
  if (hash !== null || height > to.height) return hash
  throw new AuditFailure('NODE_BEHIND', `The ${chain.node.label} no longer reaches block ${height}`)
}

async function findFork(
  sql: Sql,
  network: UtxoNetwork,
  chain: UtxoChain,
  walked: WalkedChain,
  to: BlockPoint,
): Promise<BlockPoint | null> {
  for (let upTo = walked.height - 1; upTo >= 0; ) {
    const known = await walkedBlocks(sql, network.name, upTo, STEP)
    for (const block of known) {
      if ((await hashOf(chain, block.height, to)) === block.hash) return block
      upTo = block.height - 1
    }
    if (known.length < STEP) return null
  }
  return null
}

/** @returns `moved` when another run moved the place meanwhile, and `paused` when the slice was over. */
async function walkFrom(
  sql: Sql,
  network: UtxoNetwork,
  chain: UtxoChain,
  from: Place,
  to: BlockPoint,
  { signal, onProgress, isSliceOver }: WalkOptions,
): Promise<'arrived' | 'moved' | 'paused'> {
  let place = from
  let blocks: WalkedBlock[] = []
  let outputs = 0
  const store = async (): Promise<boolean> => {
    const last = blocks.at(-1)
    if (!last) return true
    const stored = await storeBlocks(sql, network, place, blocks)
    place = { ...last, paidBefore: place.paidBefore }
    blocks = []
    outputs = 0
    if (stored) onProgress?.(last.height)
    return stored
  }
  for await (const block of walkChain(chain, from, to)) {
    signal?.throwIfAborted()
    blocks.push(block)
    outputs += block.outputs.length
    if (blocks.length < BLOCKS && outputs < OUTPUTS) continue
    if (!(await store())) return 'moved'
    if (block.height < to.height && isSliceOver?.()) return 'paused'
  }
  return (await store()) ? 'arrived' : 'moved'
}

async function storeBlocks(
  sql: Sql,
  network: UtxoNetwork,
  place: Place,
  blocks: readonly WalkedBlock[],
): Promise<boolean> {
  const paid = blocks.flatMap((block) =>
    block.outputs.flatMap((output) => {
      const address = addressOfOutput(network, output.script)
      return address === null ? [] : [{ ...output, address, height: block.height }]
    }),
  )
  return inTransaction(sql, async (tx) => {
    const now = await lockWalked(tx, network.name)
    if (now ? now.hash !== place.hash : place.hash !== null) return false
    const issued = await findIssued(tx, network.name, [...new Set(paid.map((output) => output.address))])
    const rows = paid.flatMap((output): WalkedOutputRow[] => {
      const owner = issued.get(output.address)
      if (!owner) return []
      const { txid, vout, amount, height } = output
      return [{ txid, vout, amount, height, merchantId: owner.merchantId, addressId: owner.id }]
    })
    await storeWalked(tx, network.name, blocks, rows, place.paidBefore)
    return true
  })
}
