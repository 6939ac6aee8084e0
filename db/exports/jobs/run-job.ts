/** Moves an export job: an activity claims it, stores parts, and ends it. Only the last claim may write. */

import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { DATASETS } from '../datasets.js'
import type { ExportJobRow } from './job-row.js'

/** An activity lost its job to a later one, which goes on. */
export class LostExportError extends Error {
  override readonly name = 'LostExportError'
}

/** Files would take more room than they may. */
export class ExportRoomError extends Error {
  override readonly name = 'ExportRoomError'

  /** @param whose - Files of the job's merchant, or of all merchants together. */
  constructor(readonly whose: keyof ExportRoom) {
    super(`The files of exports take more room than they may (${whose})`)
  }
}

/** Bytes, compressed, that files may take. */
export interface ExportRoom {
  readonly merchant: number
  readonly all: number
}

/** Part of a file. */
export interface ExportPart {
  readonly body: Buffer
  /** Bytes before compression. */
  readonly bytes: number
  readonly rows: number
  /** Sequence of its last row. `null` in datasets without one. */
  readonly sequence: bigint | null
}

/**
 * Claims a job. An export of rows that may change begins again, because its parts are of another snapshot.
 *
 * @returns The row. `busy` if the job has to wait, because another one of its merchant is running. `null` if the
 * job has ended.
 */
export async function claimExport(sql: Sql, id: string): Promise<ExportJobRow | 'busy' | null> {
  return inTransaction(sql, async (tx) => {
    // Jobs of a merchant that are claimed at once would not see each other.
    await tx`
      SELECT pg_advisory_xact_lock(hashtextextended('running export of ' || merchant_id, 0))
      FROM export_jobs WHERE id = ${id}`
    const [row] = await tx<ExportJobRow[]>`
      UPDATE export_jobs job SET run = run + 1, status = 'running', updated_at = clock_timestamp()
      WHERE id = ${id}
        -- One that is running goes on, so that two which run already cannot wait for each other.
        AND (status = 'running'
             OR status = 'queued' AND NOT EXISTS (
               SELECT 1 FROM export_jobs other
               WHERE other.merchant_id = job.merchant_id AND other.status = 'running'))
      RETURNING *`
    if (!row) {
      const [waiting] = await tx`SELECT 1 FROM export_jobs WHERE id = ${id} AND status = 'queued'`
      return waiting ? 'busy' : null
    }
    if (DATASETS[row.dataset].sequenced || row.run === 1) return row
    await deleteParts(tx, id)
    const [begun] = await tx<ExportJobRow[]>`
      UPDATE export_jobs SET rows = 0, parts = 0, bytes = 0, stored_bytes = 0, expected_rows = NULL
      WHERE id = ${id} RETURNING *`
    return begun ?? null
  })
}

/** Stores what the rows of a job are, before the first is read. */
export async function boundExport(
  sql: Sql,
  { id, run }: Pick<ExportJobRow, 'id' | 'run'>,
  bound: { readonly asOf: string | null; readonly lastSequence: bigint | null },
): Promise<void> {
  const { count } = await sql`
    UPDATE export_jobs SET as_of = ${bound.asOf}, last_sequence = ${bound.lastSequence?.toString() ?? null}
    WHERE id = ${id} AND run = ${run} AND status = 'running'`
  if (count === 0) throw new LostExportError(id)
}

/** Stores how many rows the job will have. */
export async function expectRows(
  sql: Sql,
  { id, run }: Pick<ExportJobRow, 'id' | 'run'>,
  rows: bigint,
): Promise<void> {
  await sql`UPDATE export_jobs SET expected_rows = ${rows.toString()} WHERE id = ${id} AND run = ${run}`
}

/**
 * Stores the next part.
 *
 * @throws LostExportError if another activity has claimed the job.
 * @throws ExportRoomError if there is no room.
 */
export async function storePart(
  sql: Sql,
  { id, run, merchant_id }: Pick<ExportJobRow, 'id' | 'run' | 'merchant_id'>,
  part: ExportPart,
  most: ExportRoom,
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const [row] = await tx<{ parts: number }[]>`
      UPDATE export_jobs
      SET parts = parts + 1, rows = rows + ${part.rows}, bytes = bytes + ${part.bytes},
          stored_bytes = stored_bytes + ${part.body.length},
          position = ${part.sequence === null ? tx`position` : part.sequence.toString()},
          updated_at = clock_timestamp()
      WHERE id = ${id} AND run = ${run} AND status = 'running' RETURNING parts`
    if (!row) throw new LostExportError(id)
    const [kept] = await tx<{ merchant: bigint; all: bigint }[]>`
      SELECT coalesce(sum(stored_bytes) FILTER (WHERE merchant_id = ${merchant_id}), 0)::bigint AS merchant,
             coalesce(sum(stored_bytes), 0)::bigint AS all
      FROM export_jobs WHERE purged_at IS NULL`
    if ((kept?.merchant ?? 0n) > BigInt(most.merchant)) throw new ExportRoomError('merchant')
    if ((kept?.all ?? 0n) > BigInt(most.all)) throw new ExportRoomError('all')
    await tx`
      INSERT INTO export_parts (export_id, number, bytes, body)
      VALUES (${id}, ${row.parts}, ${part.bytes}, ${part.body})`
  })
}

/**
 * Queues a running job again, so that a job of another merchant gets its place in the worker. A merchant whose jobs
 * wait for one of its own gets none.
 *
 * @returns Whether it is queued. `false` if no other merchant waits.
 */
export async function yieldExport(
  sql: Sql,
  { id, run, merchant_id }: Pick<ExportJobRow, 'id' | 'run' | 'merchant_id'>,
): Promise<boolean> {
  const { count } = await sql`
    UPDATE export_jobs SET status = 'queued', updated_at = clock_timestamp()
    WHERE id = ${id} AND run = ${run} AND status = 'running' AND EXISTS (
      SELECT FROM export_jobs waiting
      WHERE waiting.status = 'queued' AND waiting.workflow_started_at IS NOT NULL AND waiting.merchant_id <> ${merchant_id}
        AND NOT EXISTS (
          SELECT FROM export_jobs own WHERE own.merchant_id = waiting.merchant_id AND own.status = 'running'))`
  return count > 0
}

/** Ends a job whose parts are all stored. @throws LostExportError if another activity has claimed it. */
export async function finishExport(
  sql: Sql,
  { id, run }: Pick<ExportJobRow, 'id' | 'run'>,
  { sha256, crc32 }: { readonly sha256: Buffer; readonly crc32: number },
): Promise<void> {
  const { count } = await sql`
    UPDATE export_jobs
    SET status = 'done', sha256 = ${sha256}, crc32 = ${crc32}, finished_at = clock_timestamp(),
        updated_at = clock_timestamp()
    WHERE id = ${id} AND run = ${run} AND status = 'running'`
  if (count === 0) throw new LostExportError(id)
}

/** Ends a job without a file, and deletes its parts. Nothing changes where it has ended. */
export async function failExport(
  sql: Sql,
  id: string,
  { code, message }: { readonly code: string; readonly message: string },
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const { count } = await tx`
      UPDATE export_jobs
      SET status = 'failed', run = run + 1, failure_code = ${code}, failure_message = ${message},
          finished_at = clock_timestamp(), updated_at = clock_timestamp(), purged_at = clock_timestamp(),
          stored_bytes = 0
      WHERE id = ${id} AND status IN ('queued', 'running')`
    if (count > 0) await deleteParts(tx, id)
  })
}

async function deleteParts(tx: Transaction, id: string): Promise<void> {
  await tx`DELETE FROM export_parts WHERE export_id = ${id}`
}
