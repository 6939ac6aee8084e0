/**
 * Reads and places the cursor of a chain: height and hash of the last block applied. It advances in one
 * transaction with everything that the block meant.
 */

import type { Queryable, Transaction } from '../connect.js'
import { wholeMs } from '../whole-ms.js'

export interface ChainCursor {
  readonly height: number
  readonly hash: string
}

/** Cursor that is locked, with the time of the database, which is the same for every worker. */
export interface LockedCursor extends ChainCursor {
  readonly now: Date
}

/** Returns the cursor of a network. `null` before the first start. */
export async function readCursor(sql: Queryable, network: string): Promise<ChainCursor | null> {
  const [row] = await sql<{ height: bigint; block_hash: string }[]>`
    SELECT height, block_hash FROM chain_cursors WHERE network = ${network}`
  return row ? { height: Number(row.height), hash: row.block_hash } : null
}

/** Returns the height up to which a network was scanned, `null` before the first start, and the time of the database. */
export async function readHeight(
  sql: Queryable,
  network: string,
): Promise<{ readonly height: number | null; readonly now: Date }> {
  const [row] = await sql<{ height: bigint | null; now: Date }[]>`
    SELECT (SELECT height FROM chain_cursors WHERE network = ${network}) AS height,
           ${wholeMs(sql, sql`clock_timestamp()`)} AS now`
  if (!row) throw new Error('The clock returned nothing')
  return { height: row.height === null ? null : Number(row.height), now: row.now }
}

/**
 * Returns the cursor, locked until the transaction ends. Every writer of what the chain says takes this lock
 * first, so that two watchers of one network (a worker that was cut off and its successor) never interleave.
 */
export async function lockCursor(tx: Transaction, network: string): Promise<LockedCursor | null> {
  const [row] = await tx<{ height: bigint; block_hash: string; now: Date }[]>`
    SELECT height, block_hash, ${wholeMs(tx, tx`clock_timestamp()`)} AS now FROM chain_cursors WHERE network = ${network} FOR UPDATE`
  return row ? { height: Number(row.height), hash: row.block_hash, now: row.now } : null
}

/** Records where scanning begins, unless it has begun. */
export async function createCursor(sql: Queryable, network: string, start: ChainCursor): Promise<void> {
  await sql`
    WITH waited AS (DELETE FROM chain_waits WHERE network = ${network})
    INSERT INTO chain_cursors (network, height, block_hash, head_height)
    VALUES (${network}, ${start.height}, ${start.hash}, ${start.height})
    ON CONFLICT (network) DO NOTHING`
}
