/** Defines the activities of a rescan: it finds the blocks, and scans each of them again. */

import { Context } from '@temporalio/activity'
import { AuditFailure } from '../../auditor/audit-failure.js'
import type { ChainAdapter } from '../../chains/adapter.js'
import {
  advanceRescan,
  beginRescan,
  completeRescan,
  failRescan,
  planRescan,
} from '../../db/chain/rescans/move-rescan.js'
import type { RescanRow } from '../../db/chain/rescans/rescan-row.js'
import type { Sql } from '../../db/connect.js'
import { readCursor } from '../../db/networks/chain-cursor.js'
import { KeyturnError } from '../../domain/errors.js'
import { catchUpRecord } from '../books/audit/catch-up-record.js'
import { findMissedBlocks } from '../books/audit/find-missed-blocks.js'
import { rescanBlocks, rescanSpends } from './rescan-blocks.js'

export interface RescanDependencies {
  readonly sql: Sql
  readonly adapters: ReadonlyMap<string, ChainAdapter>
}

export interface RescanActivities {
  /** Scans what is left. */
  runRescan(id: string): Promise<void>
  /** Fails the rescan, because scanning failed too often. */
  giveUpRescan(id: string): Promise<void>
}

/** Creates the activities of the workflow `rescan`. */
export function createRescanActivities({ sql, adapters }: RescanDependencies): RescanActivities {
  return {
    async runRescan(id) {
      const row = await beginRescan(sql, id)
      if (!row) return
      const adapter = adapters.get(row.network)
      if (!adapter) throw new Error(`Network ${row.network} is not enabled in this worker`)
      const { cancellationSignal: signal } = Context.current()
      try {
        await scan(sql, adapter, row, signal)
        await completeRescan(sql, id)
      } catch (error) {
        const failure = failureOf(error)
        if (failure === null) throw error
        await failRescan(sql, id, failure)
      }
    },
    giveUpRescan: (id) =>
      failRescan(sql, id, {
        code: 'DEPENDENCY_UNAVAILABLE',
        message:
          'The blocks could not be scanned after many attempts. Check the nodes, and start another rescan',
      }),
  }
}

async function scan(sql: Sql, adapter: ChainAdapter, row: RescanRow, signal: AbortSignal): Promise<void> {
  const skip = Number(row.blocks_done)
  await catchUpRecord(sql, adapter.network, signal)
  if (row.from_block !== null && row.to_block !== null) {
    const first = Number(row.from_block)
    await rescanBlocks(sql, adapter, first + skip, Number(row.to_block), {
      signal,
      store: (tx, last, deposits) => advanceRescan(tx, row.id, last - first + 1, deposits),
    })
    // An earlier attempt may have died between a block and the one that spends its outputs.
    await rescanSpends(sql, adapter, first, Number(row.to_block), { signal })
    return
  }
  const blocks =
    row.blocks?.map(Number) ?? (await planRescan(sql, row.id, await blocksOf(sql, adapter, row, signal)))
  for (const [index, height] of blocks.entries()) {
    if (index < skip) {
      await rescanSpends(sql, adapter, height, height, { signal })
      continue
    }
    await rescanBlocks(sql, adapter, height, height, {
      signal,
      store: (tx, _last, deposits) => advanceRescan(tx, row.id, index + 1, deposits),
    })
  }
}

/** Returns the blocks that hold a transaction, or in which an address received what the books have not. */
async function blocksOf(
  sql: Sql,
  adapter: ChainAdapter,
  row: RescanRow,
  signal: AbortSignal,
): Promise<number[]> {
  if (row.transaction_hash !== null) return [await blockOf(sql, adapter, row.transaction_hash)]
  return findMissedBlocks(sql, adapter.network, row.address_id ?? '', signal)
}

async function blockOf(sql: Sql, adapter: ChainAdapter, txid: string): Promise<number> {
  const outcome = await adapter.outcome(txid)
  if (outcome.kind !== 'mined') {
    throw new KeyturnError(
      'NOT_FOUND',
      `No node of ${adapter.network.name} has ${txid} in a block. A node without an index of transactions finds none; name its block instead`,
    )
  }
  const { height } = outcome.block
  const cursor = await readCursor(sql, adapter.network.name)
  if (cursor !== null && height <= cursor.height) return height
  throw new KeyturnError(
    'BLOCK_NOT_SCANNED',
    `${txid} is in block ${height}, and the chain is scanned up to ${cursor?.height ?? -1}. The watcher reads it by itself`,
  )
}

/** Returns why a rescan cannot be made. `null` when another attempt may. */
function failureOf(error: unknown): { code: string; message: string } | null {
  if (error instanceof AuditFailure && !error.passing) return { code: error.code, message: error.message }
  if (error instanceof KeyturnError && !error.retryable) return { code: error.code, message: error.message }
  return null
}
