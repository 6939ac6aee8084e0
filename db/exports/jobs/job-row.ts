/** Declares the row of an export job, and makes the shape in which the API shows it. */

import type { ExportDataset, ExportFilters, ExportFormat } from '../../../domain/books/export-dataset.js'
import type { ExportJob, ExportStatus } from '../../../wire/export.js'

export interface ExportJobRow {
  readonly id: string
  readonly merchant_id: string
  readonly dataset: ExportDataset
  readonly format: ExportFormat
  readonly filters: ExportFilters
  readonly status: ExportStatus
  readonly run: number
  readonly as_of: string | null
  readonly last_sequence: bigint | null
  readonly position: bigint
  readonly expected_rows: bigint | null
  readonly rows: bigint
  readonly parts: number
  readonly bytes: bigint
  readonly stored_bytes: bigint
  readonly sha256: Buffer | null
  readonly crc32: bigint | null
  readonly failure_code: string | null
  readonly failure_message: string | null
  readonly created_at: Date
  readonly finished_at: Date | null
  readonly purged_at: Date | null
}

/** Link to the file of a job. */
export interface ExportLink {
  readonly url: string
  readonly expiresAt: Date
}

/** Share that a running job shows at most, because only a stored manifest is the end. */
const ALMOST = 0.99

/**
 * Makes the view of a row.
 *
 * @param linkTo - Makes a fresh link. It is called for a file that is kept.
 * @param retentionMs - Milliseconds for which a file is kept after its job is done.
 */
export function exportJobView(
  row: ExportJobRow,
  { linkTo, retentionMs }: { readonly linkTo: (id: string) => ExportLink; readonly retentionMs: number },
): ExportJob {
  const link = row.status === 'done' && row.purged_at === null ? linkTo(row.id) : null
  return {
    id: row.id,
    dataset: row.dataset,
    format: row.format,
    filters: { ...(row.filters as Readonly<Record<string, string>>) },
    status: row.status,
    rows: Number(row.rows),
    progress: progressOf(row),
    url: link?.url ?? null,
    url_expires_at: link?.expiresAt.toISOString() ?? null,
    manifest:
      row.status === 'done' && row.sha256 !== null
        ? { rows: Number(row.rows), bytes: Number(row.bytes), sha256: row.sha256.toString('hex') }
        : null,
    failure:
      row.failure_code === null ? null : { code: row.failure_code, message: row.failure_message ?? '' },
    created_at: row.created_at.toISOString(),
    finished_at: row.finished_at?.toISOString() ?? null,
    kept_until:
      link === null || row.finished_at === null
        ? null
        : new Date(row.finished_at.getTime() + retentionMs).toISOString(),
  }
}

function progressOf({ status, rows, expected_rows }: ExportJobRow): number {
  if (status === 'done') return 1
  if (expected_rows === null || expected_rows === 0n) return 0
  return Math.min(ALMOST, Math.floor((Number(rows) / Number(expected_rows)) * 100) / 100)
}
