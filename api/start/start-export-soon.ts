/** Starts the workflow of an export job in the background, so that the answer does not wait for Temporal. */

import type { ExportJobRow } from '../../db/exports/jobs/job-row.js'
import { markExportStarted, toExportStart } from '../../db/exports/jobs/job-start.js'
import { startExport } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { startSoon } from './start-soon.js'

/** Starts the workflow of a job that was just created. */
export function startExportSoon(dependencies: ApiDependencies, row: ExportJobRow): void {
  startSoon(dependencies, `export ${row.id}`, async (client) => {
    await startExport(client, toExportStart(row))
    await markExportStarted(dependencies.sql, row.id)
  })
}
