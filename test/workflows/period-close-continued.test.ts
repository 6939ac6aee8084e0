/** A close whose reconciliation takes long: its workflow continues as new, and its history stays short. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import { NativeConnection, Worker } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PeriodActivities } from '../../activities/books/period-close.js'
import { freePort } from '../../local/parts/free-port.js'
import { startTemporal, type Temporal } from '../../local/parts/temporal.js'
import { controlChangeId } from '../../temporal/ids.js'
import type { ControlChangeInput } from '../../temporal/inputs.js'
import { TASK_QUEUE } from '../../temporal/task-queues.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'

/** Events of a run’s history before the server suggests to continue. The default is in the thousands. */
const EVENTS = 40
/** Looks at a reconciliation that has not ended. */
const LOOKS = 30
let directory: string
let temporal: Temporal
let connection: Connection
let native: NativeConnection

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-close-'))
  temporal = await startTemporal({
    port: await freePort(),
    uiPort: null,
    databaseFile: null,
    logFile: join(directory, 'temporal.log'),
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': EVENTS },
  })
  connection = await Connection.connect({ address: temporal.address })
  native = await NativeConnection.connect({ address: temporal.address })
})
afterAll(async () => {
  await native?.close()
  await connection?.close()
  await temporal?.stop()
  await rm(directory, { recursive: true, force: true })
})

test('closes once the reconciliation has ended, and keeps the history of each run short', async () => {
  let looks = 0
  const activities: PeriodActivities = {
    advancePeriod: async () =>
      ++looks > LOOKS
        ? { state: 'effective', until: null, approvals: 2 }
        : { state: 'pending_approval', until: new Date(Date.now() + 50).toISOString(), approvals: 2 },
  }
  const worker = await Worker.create({
    connection: native,
    taskQueue: TASK_QUEUE.core,
    workflowBundle: { codePath: await loadWorkflowBundle() },
    activities,
  })
  const client = new Client({ connection })
  const input: ControlChangeInput = {
    id: 'pcl_1',
    kind: 'period_close',
    merchantId: 'mer_1',
    title: '2026-10',
  }
  const workflowId = controlChangeId(input.kind, input.id)
  await worker.runUntil(async () => {
    const handle = await client.workflow.start('periodClose', {
      taskQueue: TASK_QUEUE.core,
      workflowId,
      args: [input],
    })
    expect(await handle.result()).toBe('effective')
    const { runId } = await client.workflow.getHandle(workflowId).describe()
    expect(runId).not.toBe(handle.firstExecutionRunId)
    const first = client.workflow.getHandle(workflowId, handle.firstExecutionRunId)
    expect((await first.fetchHistory()).events?.length).toBeLessThan(2 * EVENTS)
  })
  expect(looks).toBe(LOOKS + 1)
})
