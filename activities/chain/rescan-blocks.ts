/** Scans blocks that the watcher has passed once more, and records what it missed in them. */

import type { ChainAdapter } from '../../chains/adapter.js'
import { blocksOfMissingSpends } from '../../db/auditor/missing-spends.js'
import { applyAgain } from '../../db/chain/apply-again.js'
import type { Sql, Transaction } from '../../db/connect.js'
import type { DepositRow } from '../../db/deposits/deposit-row.js'
import { readCursor } from '../../db/networks/chain-cursor.js'
import { KeyturnError } from '../../domain/errors.js'
import { describeMatches } from './describe-matches.js'
import { linked, matchBlocks } from './match-blocks.js'

/** Blocks that one transaction applies at most. */
const RANGE = 50

export interface RescanOptions {
  readonly signal?: AbortSignal
  /** Stores progress in the transaction that records blocks: the last of them, and the deposits that were missing. */
  readonly store?: (tx: Transaction, last: number, deposits: readonly DepositRow[]) => Promise<void>
}

/**
 * Scans the blocks from `from` to `to`, which are not above the scanned head. The deposits that it records go on as
 * those of the watcher do.
 *
 * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) while the node has another chain than the scanned one.
 */
export async function rescanBlocks(
  sql: Sql,
  adapter: ChainAdapter,
  from: number,
  to: number,
  { signal, store }: RescanOptions = {},
): Promise<void> {
  const { network } = adapter
  for (let next = from; next <= to; ) {
    signal?.throwIfAborted()
    const head = await readCursor(sql, network.name)
    if (!head || head.height < to || (await adapter.hashAt(head.height)) !== head.hash)
      throw otherChain(network.name)
    const blocks = linked(await adapter.blocks(next, Math.min(to, next + RANGE - 1)), next, undefined)
    const last = blocks.at(-1)
    if (!last) throw otherChain(network.name)
    const hits = await describeMatches(
      sql,
      adapter,
      await matchBlocks(sql, network.name, blocks, undefined),
      true,
    )
    const applied = await applyAgain(sql, network, blocks, hits, head, async (tx, deposits) =>
      store?.(tx, last.height, deposits),
    )
    if (applied.kind === 'other_chain') throw otherChain(network.name)
    await rescanSpends(sql, adapter, next, last.height, signal ? { signal } : {})
    next = last.height + 1
  }
}

/**
 * Scans the later blocks that spend what these blocks made, where the books still hold it. The watcher passed them
 * when it did not know the outputs.
 *
 * @throws KeyturnError as `rescanBlocks`.
 */
export async function rescanSpends(
  sql: Sql,
  adapter: ChainAdapter,
  from: number,
  to: number,
  { signal }: Pick<RescanOptions, 'signal'> = {},
): Promise<void> {
  const head = await readCursor(sql, adapter.network.name)
  if (!head) return
  const blocks = await blocksOfMissingSpends(sql, adapter.network.name, { from, to, head: head.height })
  for (const height of blocks) await rescanBlocks(sql, adapter, height, height, signal ? { signal } : {})
}

function otherChain(network: string): KeyturnError {
  return new KeyturnError(
    'DEPENDENCY_UNAVAILABLE',
    `The node of ${network} has another chain than the scanned one, or is behind it`,
    { details: { network }, retryable: true },
  )
}
