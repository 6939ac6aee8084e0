/** Creates an export job. Its workflow starts after the commit. */

import { KeyturnError } from '../../../domain/errors.js'
import { appendAudit } from '../../audit/append-audit.js'
import { json, type Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import type { ExportRequest } from '../dataset.js'
import type { ExportJobRow } from './job-row.js'

const RETRY_SECONDS = 10

export interface NewExportJob extends ExportRequest {
  readonly createdBy: string
  readonly actor: string
  /** Jobs of the merchant that may be queued or running at a time. */
  readonly mostOpen: number
}

/** Stores the job. @throws KeyturnError `RATE_LIMITED` if the merchant has too many that have not ended. */
export async function createExportJob(tx: Transaction, job: NewExportJob): Promise<ExportJobRow> {
  const { merchantId, dataset, format, filters } = job
  // Requests that come at once would all count the same jobs.
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`export jobs of ${merchantId}`}, 0))`
  const [open] = await tx<{ count: number }[]>`
    SELECT count(*)::integer AS count FROM export_jobs
    WHERE merchant_id = ${merchantId} AND status IN ('queued', 'running')`
  if ((open?.count ?? 0) >= job.mostOpen) {
    throw new KeyturnError(
      'RATE_LIMITED',
      `${job.mostOpen} export jobs of this merchant have not ended, which is the limit. Try again when one has`,
      { retryable: true, details: { limit: job.mostOpen, retry_after: RETRY_SECONDS } },
    )
  }
  const [row] = await tx<ExportJobRow[]>`
    INSERT INTO export_jobs (id, merchant_id, dataset, format, filters, created_by)
    VALUES (${newId('exp')}, ${merchantId}, ${dataset}, ${format}, ${json(tx, filters)}, ${job.createdBy})
    RETURNING *`
  if (!row) throw new Error('The export job was not stored')
  await appendAudit(tx, {
    merchantId,
    actor: job.actor,
    action: 'export.created',
    subject: row.id,
    data: { dataset, format, filters },
  })
  return row
}
