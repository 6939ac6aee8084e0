/** The sweeper survives the death of its worker. */

import { NativeConnection, Worker } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'

let temporal: TestTemporal
let connection: NativeConnection
beforeAll(async () => {
  temporal = await testTemporal()
  connection = await NativeConnection.connect({ address: temporal.address })
})
afterAll(async () => {
  await connection?.close()
  await temporal?.close()
})

test('repeats a sweep in another worker within seconds when its worker dies', async () => {
  let bury: () => void = () => {}
  const dead = new Promise<void>((resolve) => {
    bury = resolve
  })
  let attempts = 0
  const worker = await Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: 'core',
    workflowBundle: { codePath: await loadWorkflowBundle() },
    activities: {
      async sweep() {
        attempts += 1
        // A dead worker sends no result.
        if (attempts === 1) await dead
        return attempts
      },
    },
  })
  const swept = await worker.runUntil(async () => {
    const result = await temporal.client.workflow.execute('sweeper', {
      taskQueue: 'core',
      workflowId: 'sweeper-dies',
    })
    bury()
    return result
  })
  expect(swept).toBe(2)
})
