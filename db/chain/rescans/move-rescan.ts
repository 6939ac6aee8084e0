/** Moves a rescan: begins it, stores which blocks it has and how far it is, and ends it. */

import type { Queryable, Sql } from '../../connect.js'
import { findRescan } from './find-rescan.js'
import type { RescanRow } from './rescan-row.js'

/** Ids of deposits that a row keeps. */
const MOST_IDS = 100

/** Begins a rescan, or goes on with one that is running. @returns `null` if it has ended. */
export async function beginRescan(sql: Sql, id: string): Promise<RescanRow | null> {
  const { count } = await sql`
    UPDATE rescans SET status = 'running', updated_at = clock_timestamp()
    WHERE id = ${id} AND status IN ('queued', 'running')`
  return count === 0 ? null : findRescan(sql, id)
}

/** Stores the blocks that a transaction or an address concerns. They are decided once. */
export async function planRescan(
  sql: Sql,
  id: string,
  blocks: readonly number[],
): Promise<readonly number[]> {
  const [row] = await sql<{ blocks: bigint[] }[]>`
    UPDATE rescans SET blocks = coalesce(blocks, ${[...blocks]}::bigint[]),
      blocks_total = coalesce(blocks_total, ${blocks.length}), updated_at = clock_timestamp()
    WHERE id = ${id} RETURNING blocks`
  return (row?.blocks ?? []).map(Number)
}

/** Stores progress. A block that is scanned twice, after a crash, counts its deposits once, because they are new once. */
export async function advanceRescan(
  sql: Queryable,
  id: string,
  done: number,
  deposits: readonly { readonly id: string }[],
): Promise<void> {
  await sql`
    UPDATE rescans
    SET blocks_done = ${done}, deposits = deposits + ${deposits.length}, updated_at = clock_timestamp(),
        deposit_ids = (deposit_ids || ${deposits.map((deposit) => deposit.id)}::text[])[1:${MOST_IDS}]
    WHERE id = ${id} AND status = 'running'`
}

/** Ends a rescan, whose blocks are all scanned. A second call changes nothing. */
export async function completeRescan(sql: Sql, id: string): Promise<void> {
  await sql`
    UPDATE rescans SET status = 'completed', finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE id = ${id} AND status = 'running'`
}

/** Ends a rescan that cannot be made. Nothing changes where it has ended. */
export async function failRescan(
  sql: Sql,
  id: string,
  { code, message }: { readonly code: string; readonly message: string },
): Promise<void> {
  await sql`
    UPDATE rescans
    SET status = 'failed', failure_code = ${code}, failure_message = ${message}, finished_at = clock_timestamp(),
        updated_at = clock_timestamp()
    WHERE id = ${id} AND status IN ('queued', 'running')`
}
