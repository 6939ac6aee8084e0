/** Keeps one Schedule a merchant, and opens the run of each firing once. */

import { RECONCILIATION_SCOPES } from '../../../domain/books/difference.js'
import { KeyturnError } from '../../../domain/errors.js'
import { inTransaction, type Queryable, type Sql } from '../../connect.js'
import { OPERATOR } from '../../merchants/operator.js'
import { notPutOff } from '../../operations/sweep-failures.js'
import type { ReconciliationRow } from './run-row.js'
import { type ReconciliationStart, toReconciliationStart } from './run-start.js'
import { startReconciliation } from './start-reconciliation.js'

/** Who opens the runs of Schedules. */
const SYSTEM = 'system:reconciliation'
/** Merchants that one sweep takes. The next sweep takes the next. */
const MOST = 100
/** Interval at which a Schedule is applied again, because Temporal may have lost it. */
const CHECK_MS = 86_400_000

/** Returns merchants whose Schedule is not the configured one, or was not applied for a day. */
export async function unscheduledMerchants(sql: Queryable, intervalMs: number): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    SELECT merchant.id FROM merchants merchant
    LEFT JOIN reconciliation_schedules schedule ON schedule.merchant_id = merchant.id
    WHERE merchant.status = 'active' AND merchant.id <> ${OPERATOR}
      AND CASE WHEN schedule.merchant_id IS NULL THEN ${intervalMs} > 0 ELSE
            schedule.interval_ms <> ${intervalMs}
            OR ${intervalMs} > 0 AND schedule.checked_at < clock_timestamp() - ${CHECK_MS} * interval '1 millisecond' END
      AND ${notPutOff(sql, 'merchant.id')}
    ORDER BY schedule.checked_at NULLS FIRST LIMIT ${MOST}`
  return rows.map(({ id }) => id)
}

/** Records that the Schedule of a merchant was applied. */
export async function markScheduled(sql: Queryable, merchantId: string, intervalMs: number): Promise<void> {
  await sql`
    INSERT INTO reconciliation_schedules (merchant_id, interval_ms, checked_at)
    VALUES (${merchantId}, ${intervalMs}, clock_timestamp())
    ON CONFLICT (merchant_id) DO UPDATE SET interval_ms = excluded.interval_ms, checked_at = excluded.checked_at`
}

/**
 * Opens the run of a firing. The same firing again returns the same run.
 *
 * @param nominalAt - Time for which the Schedule fired.
 * @returns The input of its workflow. `null` while an earlier run of a Schedule is open.
 */
export async function openScheduledRun(
  sql: Sql,
  merchantId: string,
  nominalAt: Date,
): Promise<ReconciliationStart | null> {
  try {
    return await inTransaction(sql, async (tx) => {
      const [known] = await tx<(ReconciliationRow & { readonly same: boolean })[]>`
        SELECT *, scheduled_at = ${nominalAt} AS same FROM reconciliation_runs
        WHERE merchant_id = ${merchantId} AND (scheduled_at = ${nominalAt} OR status = 'running' AND cause = 'schedule')
        ORDER BY same DESC LIMIT 1`
      if (known) return known.same ? toReconciliationStart(known) : null
      const row = await startReconciliation(tx, {
        merchantId,
        cause: 'schedule',
        scope: RECONCILIATION_SCOPES,
        networks: null,
        atBlock: null,
        createdBy: SYSTEM,
        actor: SYSTEM,
        scheduledAt: nominalAt,
        mostOpen: 1,
      })
      return toReconciliationStart(row)
    })
  } catch (error) {
    // Another run of the merchant is open, which finds the same.
    if (error instanceof KeyturnError && error.code === 'RATE_LIMITED') return null
    throw error
  }
}
