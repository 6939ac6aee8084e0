/** Keeps one Temporal Schedule a merchant, which reconciles its books. */

import { markScheduled, unscheduledMerchants } from '../../db/books/reconciliation/schedules.js'
import { sweepEach } from './sweep-each.js'
import type { SweeperDependencies } from './sweeper-dependencies.js'

/** Schedules that are applied at once. */
const CONCURRENCY = 4

/** Applies the Schedules that are missing or differ. @returns How many. */
export async function scheduleReconciliations({
  sql,
  log,
  schedules,
  reconciliationIntervalMs: intervalMs,
}: SweeperDependencies): Promise<number> {
  if (!schedules || intervalMs === undefined) return 0
  const merchants = await unscheduledMerchants(sql, intervalMs)
  const rows = merchants.map((id) => ({ id, merchantId: id }))
  return sweepEach({ sql, log }, 'reconciliation schedules', rows, CONCURRENCY, async ({ id }) => {
    await schedules.applyReconciliation(id, intervalMs)
    await markScheduled(sql, id, intervalMs)
    return true
  })
}
