/** Starts and signals the workflow of a batch in the background, so that the answer does not wait for Temporal. */

import type { WorkflowHandle } from '@temporalio/client'
import { markBatchStarted, readBatchStart } from '../../db/payouts/batches/batch-start.js'
import { batchId } from '../../temporal/ids.js'
import { startBatch } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { reaches, startSoon } from './start-soon.js'

/** Sends the signal. Starts the workflow if none is running, and then sends the signal again. */
export function startBatchSoon(
  dependencies: ApiDependencies,
  id: string,
  signal?: (handle: WorkflowHandle) => Promise<unknown>,
): void {
  const { sql, networks } = dependencies
  startSoon(dependencies, `batch ${id}`, async (client) => {
    const handle = client.getHandle(batchId(id))
    if (signal && (await reaches(() => signal(handle)))) return
    const input = await readBatchStart(sql, networks, id)
    if (!input) return
    await startBatch(client, input)
    await markBatchStarted(sql, id)
    await signal?.(handle)
  })
}
