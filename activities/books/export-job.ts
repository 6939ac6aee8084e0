/** Writes the file of an export job part by part, and goes on where an earlier activity stopped. */

import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw, inflateRawSync, type ZlibOptions } from 'node:zlib'
import { Context } from '@temporalio/activity'
import type { Sql } from '../../db/connect.js'
import { errorCode } from '../../db/database-errors.js'
import { DATASETS } from '../../db/exports/datasets.js'
import type { ExportJobRow } from '../../db/exports/jobs/job-row.js'
import { readPart } from '../../db/exports/jobs/read-parts.js'
import {
  boundExport,
  claimExport,
  type ExportRoom,
  ExportRoomError,
  expectRows,
  failExport,
  finishExport,
  LostExportError,
  storePart,
  yieldExport,
} from '../../db/exports/jobs/run-job.js'
import { newestSequence } from '../../db/exports/newest-sequence.js'
import { countRows, exportHead, readExport } from '../../db/exports/read-export.js'
import { settleTime } from '../../db/exports/settle-time.js'
import type { Networks } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'

const deflate = promisify(deflateRaw) as (bytes: Uint8Array, options: ZlibOptions) => Promise<Buffer>

/** Characters of a part. Its compressed bytes are one row of the database. */
const PART_LENGTH = 4_000_000
/** Limit of a statement, also of one that sorts a large ledger. */
const STATEMENT_MS = 3_600_000
/** Limit of the reading transaction while a part is compressed and stored. */
const IDLE_MS = 300_000
/** Limit of the wait for transactions that were open when the export began. */
const SETTLE_MS = 3_600_000
/** Time after which a job gives its place to a merchant who waits. One that begins again afterwards loses more by it. */
const SLICE_MS = { goesOn: 60_000, beginsAgain: 300_000 }
/** Times the preparation (the stored parts are hashed again, the ledger is sorted again) that a slice lasts at least. */
const WORTH = 3

/** The job has given its place to a job of another merchant. */
class PlaceGiven extends Error {
  override readonly name = 'PlaceGiven'
}

export interface ExportDependencies {
  readonly sql: Sql
  readonly networks: Networks
  readonly mostBytes: ExportRoom
  /** Characters of a part. Default: 4 million. */
  readonly partLength?: number
  /** Milliseconds after which a job gives its place to a merchant who waits. Default: a minute, or five. */
  readonly sliceMs?: number
}

export interface ExportActivities {
  /**
   * Writes what is missing of the file, or what fits into the job's slice while other merchants wait.
   *
   * @returns `busy` if another job goes first: at once if one of the merchant is running, so that none waits in a
   * slot of the worker, or after the slice. `ended` when the job has ended, in either way, or another activity has claimed it.
   */
  writeExport(id: string): Promise<'ended' | 'busy'>
  /** Fails the job, because writing failed too often. */
  giveUpExport(id: string): Promise<void>
}

/** Creates the activities of the workflow `exportJob`. */
export function createExportActivities(dependencies: ExportDependencies): ExportActivities {
  const { sql } = dependencies
  return {
    async writeExport(id) {
      const job = await claimExport(sql, id)
      if (job === null) return 'ended'
      if (job === 'busy') return 'busy'
      try {
        await write(dependencies, job, Context.current().cancellationSignal)
      } catch (error) {
        // The activity that claimed it later ends the job.
        if (error instanceof LostExportError) return 'ended'
        if (error instanceof PlaceGiven) return 'busy'
        const failure = failureOf(error)
        if (failure === null) throw error
        await failExport(sql, id, failure)
      }
      return 'ended'
    },
    giveUpExport: (id) =>
      failExport(sql, id, {
        code: 'INTERNAL_ERROR',
        message: 'The export could not be written after many attempts. Create it again',
      }),
  }
}

async function write(
  { sql, networks, mostBytes, partLength = PART_LENGTH, sliceMs }: ExportDependencies,
  job: ExportJobRow,
  signal: AbortSignal,
): Promise<void> {
  const began = performance.now()
  const request = {
    merchantId: job.merchant_id,
    dataset: job.dataset,
    format: job.format,
    filters: job.filters,
  }
  const bound = await readBound(sql, job, signal)
  const digest = await resumeDigest(sql, job)
  let slice: number | null = null
  let text = job.parts === 0 ? exportHead(request) : ''
  let rows = 0
  let sequence: bigint | null = null
  const store = async (): Promise<void> => {
    if (text === '') return
    const bytes = Buffer.from(text)
    // A full flush ends the part at a byte, and the next part refers to nothing in it.
    const body = await deflate(bytes, { finishFlush: constants.Z_FULL_FLUSH })
    await storePart(sql, job, { body, bytes: bytes.length, rows, sequence }, mostBytes)
    digest.update(bytes)
    text = ''
    rows = 0
  }
  const selection = { ...bound, after: job.position }
  await readExport(sql, networks, request, {
    selection,
    limits: { statementMs: STATEMENT_MS, idleMs: IDLE_MS },
    signal,
    begin: async (tx) => {
      // In the snapshot of the rows, so that progress ends at the last one.
      if (job.expected_rows === null) await expectRows(sql, job, await countRows(tx, request, selection))
    },
    take: async (page) => {
      slice ??= sliceMs ?? Math.max(sliceOf(job), WORTH * (performance.now() - began))
      text += page.text
      rows += page.rows
      sequence = page.sequence
      if (text.length < partLength) return
      await store()
      if (performance.now() - began > slice && (await yieldExport(sql, job))) throw new PlaceGiven()
    },
  })
  await store()
  await finishExport(sql, job, digest.end())
}

/**
 * Returns how long a job may keep its place while other merchants wait. One that begins again each time has twice as
 * long each time, so that it ends, and does half of its work for nothing at most.
 */
function sliceOf({ dataset, run }: ExportJobRow): number {
  return DATASETS[dataset].sequenced ? SLICE_MS.goesOn : SLICE_MS.beginsAgain * 2 ** (run - 1)
}

/** Returns what the rows of the job are. The first run decides it, so that a later one reads the same rows. */
async function readBound(sql: Sql, job: ExportJobRow, signal: AbortSignal) {
  if (job.as_of !== null || job.last_sequence !== null) {
    return { asOf: job.as_of, lastSequence: job.last_sequence }
  }
  const lastSequence = await newestSequence(sql, job.merchant_id, job.dataset)
  const settled =
    job.dataset === 'ledger'
      ? await settleTime(sql, job.merchant_id, SETTLE_MS, () => signal.throwIfAborted())
      : null
  if (settled?.settled === false) throw new Error('A transaction has been open for too long')
  const bound = { asOf: settled?.asOf ?? null, lastSequence }
  await boundExport(sql, job, bound)
  return bound
}

/** Returns the hash and the checksum of the stored parts, to which the next ones are added. */
async function resumeDigest(sql: Sql, { id, parts }: ExportJobRow) {
  const hash = createHash('sha256')
  let checksum = 0
  const update = (bytes: Uint8Array): void => {
    hash.update(bytes)
    checksum = crc32(bytes, checksum)
  }
  for (let number = 1; number <= parts; number++) {
    update(inflateRawSync(await readPart(sql, id, number), { finishFlush: constants.Z_SYNC_FLUSH }))
  }
  return { update, end: () => ({ sha256: hash.digest(), crc32: checksum }) }
}

/** Returns why a job cannot succeed. `null` when another attempt may. */
function failureOf(error: unknown): { code: string; message: string } | null {
  if (error instanceof ExportRoomError && error.whose === 'merchant') {
    return {
      code: 'EXPORT_STORAGE_FULL',
      message:
        'The files of your exports take all the room that they may. Narrow the window, or wait until older files are deleted',
    }
  }
  // SQLSTATE 53100: no space is left.
  if (error instanceof ExportRoomError || errorCode(error) === '53100') {
    return {
      code: 'EXPORT_STORAGE_FULL',
      message:
        'The platform has no room for the file. Its operator has to make room; then create the export again',
    }
  }
  if (error instanceof KeyturnError && !error.retryable) return { code: error.code, message: error.message }
  return null
}
