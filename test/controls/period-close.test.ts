/** The close of a period through its workflow: it waits for two people, and closes once they agree. */

import { NativeConnection, Worker } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createReconciliationActivities } from '../../activities/books/reconciliation.js'
import { heartbeating } from '../../activities/heartbeating.js'
import { rememberCoins } from '../../db/chain/remember-coins.js'
import { periodAt } from '../../domain/books/period.js'
import { controlChangeId } from '../../temporal/ids.js'
import { TASK_QUEUE } from '../../temporal/task-queues.js'
import { type Controls, startControls } from '../stage/start-controls.js'

const MONTH = periodAt(new Date())
let controls: Controls
let connection: NativeConnection
let reconciliation: Worker
let running: Promise<void>
beforeAll(async () => {
  controls = await startControls({ KEYTURN_PERIOD_CLOSE_EARLY: 'true' })
  const { stage, temporal } = controls
  connection = await NativeConnection.connect({ address: temporal.address })
  const { sql } = stage.api.database
  await rememberCoins(sql, stage.networks)
  reconciliation = await Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: TASK_QUEUE.reconciliation,
    activities: heartbeating(
      createReconciliationActivities({
        sql,
        // No chain is compared: this stage has no nodes, and its merchant holds nothing.
        networks: new Map(),
        gate: { startReconciliationRun: async () => true },
      }),
    ),
  })
  running = reconciliation.run()
})
afterAll(async () => {
  reconciliation?.shutdown()
  await running
  await connection?.close()
  await controls?.close()
})

test('closes and opens again as soon as two people have approved it', async () => {
  const { stage, call, until } = controls
  const status = async () => (await call('GET', `/periods/${MONTH}`)).json.data.status
  const becomes = (wanted: string) => until(async () => (await status()) === wanted)

  const asked = await call('POST', '/periods/close', { period: MONTH })
  expect([asked.status, asked.json.data?.status]).toEqual([202, 'closing'])
  await controls.approve(asked.json.data.approval.path)
  await becomes('closed')
  const opened = await call('POST', `/periods/${MONTH}/reopen`, { reason: 'a late booking' })
  expect(opened.status).toBe(202)
  await controls.approve(opened.json.data.approval.path)
  await becomes('open')

  const [first] = await stage.api.database.sql<{ id: string }[]>`
    SELECT id FROM control_changes WHERE kind = 'period_close' AND merchant_id = ${stage.api.merchantId}`
  const workflow = controls.temporal.client.workflow
  expect(await workflow.getHandle(controlChangeId('period_close', first?.id ?? '')).result()).toBe(
    'effective',
  )
})
