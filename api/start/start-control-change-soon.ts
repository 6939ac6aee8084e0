/** Starts and signals the workflow of a control change in the background. */

import type { WorkflowHandle } from '@temporalio/client'
import {
  markControlChangeStarted,
  readControlChangeStart,
} from '../../db/controls/changes/control-change-start.js'
import { controlChangeId } from '../../temporal/ids.js'
import { startControlChange } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { startSoon } from './start-soon.js'

/** Starts the workflow, or finds it running or closed, and then sends the signal. */
export function startControlChangeSoon(
  dependencies: ApiDependencies,
  id: string,
  signal?: (handle: WorkflowHandle) => Promise<unknown>,
): void {
  const { sql } = dependencies
  startSoon(dependencies, `change ${id}`, async (client) => {
    const input = await readControlChangeStart(sql, id)
    if (!input) return
    await startControlChange(client, input)
    await markControlChangeStarted(sql, id)
    await signal?.(client.getHandle(controlChangeId(input.kind, id)))
  })
}
