/** Starts the workflow of a reconciliation in the background, so that the answer does not wait for Temporal. */

import type { ReconciliationRow } from '../../db/books/reconciliation/run-row.js'
import { markRunStarted, toReconciliationStart } from '../../db/books/reconciliation/run-start.js'
import { startReconciliationRun } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { startSoon } from './start-soon.js'

/** Starts the workflow of a run that was just created. */
export function startReconciliationSoon(dependencies: ApiDependencies, row: ReconciliationRow): void {
  startSoon(dependencies, `reconciliation ${row.id}`, async (client) => {
    await startReconciliationRun(client, toReconciliationStart(row))
    await markRunStarted(dependencies.sql, row.id)
  })
}
