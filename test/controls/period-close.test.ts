/** The close of a period through its workflow: it waits for two people, and closes once they agree. */

import { NativeConnection, Worker } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createReconciliationActivities } from '../../activities/books/reconciliation.js'
import { heartbeating } from '../../activities/heartbeating.js'
import { rememberCoins } from '../../db/chain/remember-coins.js'
import { periodAt } from '../../domain/books/period.js'
import { controlChangeId } from '../../temporal/ids.js'
import { TASK_QUEUE } from '../../temporal/task-queues.js'
import { recordedHistories, replayHistory, storeHistory } from '../stage/histories.js'
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

/** Returns the workflow of the merchant's newest request. */
async function newest(kind: 'period_close' | 'period_reopen') {
  const { stage, temporal } = controls
  const [row] = await stage.api.database.sql<{ id: string }[]>`
    SELECT id FROM control_changes WHERE kind = ${kind} AND merchant_id = ${stage.api.merchantId} ORDER BY id DESC LIMIT 1`
  return temporal.client.workflow.getHandle(controlChangeId(kind, row?.id ?? ''))
}

test('closes and opens again as soon as two people have approved it', async () => {
  const { call, until } = controls
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

  const closing = await newest('period_close')
  expect(await closing.result()).toBe('effective')
  await storeHistory('period-close.closed', () => closing.fetchHistory())
  const opening = await newest('period_reopen')
  expect(await opening.result()).toBe('effective')
  await storeHistory('period-reopen.opened', () => opening.fetchHistory())
})

test('stays open when its reconciliation finds a difference, although two people have approved it', async () => {
  const { stage, call } = controls
  const sent = await stage.api.call({
    method: 'POST',
    path: '/api/v1/reconciliation/orders',
    body: 'order_id,network,coin,amount,state,at\nwithout-payment,bitcoin,btc,1,confirmed,2024-11-01T10:00:00Z\n',
    headers: { 'Content-Type': 'text/csv' },
  })
  expect(sent.json.data).toMatchObject({ accepted: 1, rejected: [] })
  const asked = await call('POST', '/periods/close', { period: MONTH })
  expect(asked.status).toBe(202)
  await controls.approve(asked.json.data.approval.path)
  const closing = await newest('period_close')
  expect(await closing.result()).toBe('superseded')
  const { json } = await call('GET', `/periods/${MONTH}`)
  expect(json.data.status).toBe('open')
  expect(json.data.checklist.filter(({ ok }: { ok: boolean }) => !ok)).toMatchObject([
    { examples: ['orders'] },
  ])
  await storeHistory('period-close.refused', () => closing.fetchHistory())
})

test('has a recorded history of each end', () => {
  expect(recordedHistories('period-close', 'period-reopen')).toEqual([
    'period-close.closed.pb',
    'period-close.refused.pb',
    'period-reopen.opened.pb',
  ])
})

test.each(recordedHistories('period-close', 'period-reopen'))('replays %s', async (name) => {
  await replayHistory(name)
})
