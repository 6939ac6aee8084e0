/** Starts the workflow of a rescan in the background, so that the answer does not wait for Temporal. */

import type { RescanRow } from '../../db/chain/rescans/rescan-row.js'
import { markRescanStarted, toRescanStart } from '../../db/chain/rescans/rescan-start.js'
import { startRescan } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { startSoon } from './start-soon.js'

/** Starts the workflow of a rescan that was just created. */
export function startRescanSoon(dependencies: ApiDependencies, row: RescanRow): void {
  startSoon(dependencies, `rescan ${row.id}`, async (client) => {
    await startRescan(client, toRescanStart(row))
    await markRescanStarted(dependencies.sql, row.id)
  })
}
