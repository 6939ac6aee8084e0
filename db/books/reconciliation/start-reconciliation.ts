/** Creates a run of the reconciliation. Its workflow starts after the commit. */

import type { ReconciliationScope } from '../../../domain/books/difference.js'
import { KeyturnError } from '../../../domain/errors.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import type { ReconciliationCause, ReconciliationRow } from './run-row.js'

const RETRY_SECONDS = 10

export interface NewReconciliation {
  readonly merchantId: string
  readonly cause: ReconciliationCause
  readonly scope: readonly ReconciliationScope[]
  /** Networks to which it is limited. `null`: all. */
  readonly networks: readonly string[] | null
  /** Height at which the chain of the one network is compared. `null`: the newest settled block. */
  readonly atBlock: number | null
  /** Who asked for it: the id of a person or key, or `system:…`. */
  readonly createdBy: string
  readonly actor: string
  /** Time for which a Schedule starts it. Absent for other runs. */
  readonly scheduledAt?: Date
  /** Runs of the merchant that may be open at a time. */
  readonly mostOpen: number
}

/**
 * Stores the run.
 *
 * @throws KeyturnError `RATE_LIMITED` if the merchant has too many that have not ended.
 */
export async function startReconciliation(
  tx: Transaction,
  run: NewReconciliation,
): Promise<ReconciliationRow> {
  const { merchantId, cause, scope, networks, atBlock } = run
  // Requests that come at once would all count the same runs.
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`reconciliation of ${merchantId}`}, 0))`
  const [open] = await tx<{ count: number }[]>`
    SELECT count(*)::integer AS count FROM reconciliation_runs
    WHERE merchant_id = ${merchantId} AND status = 'running'`
  if ((open?.count ?? 0) >= run.mostOpen) {
    throw new KeyturnError(
      'RATE_LIMITED',
      `${run.mostOpen} reconciliations of this merchant have not ended, which is the limit. Try again when one has`,
      { retryable: true, details: { limit: run.mostOpen, retry_after: RETRY_SECONDS } },
    )
  }
  const [row] = await tx<ReconciliationRow[]>`
    INSERT INTO reconciliation_runs (id, merchant_id, cause, scope, networks, at_block, created_by, scheduled_at)
    VALUES (${newId('rec')}, ${merchantId}, ${cause}, ${[...scope]}::text[],
            ${networks === null ? null : [...networks]}::text[], ${atBlock}, ${run.createdBy},
            ${run.scheduledAt ?? null})
    RETURNING *`
  if (!row) throw new Error('The reconciliation was not stored')
  await appendAudit(tx, {
    merchantId,
    actor: run.actor,
    action: 'reconciliation.started',
    subject: row.id,
    data: { cause, scope, networks, at_block: atBlock },
  })
  return row
}
