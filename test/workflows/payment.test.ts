/** The workflow of a payment holds its timer, follows its deposits and survives the loss of every part. */

import type { WorkflowExecutionInfo } from '@temporalio/client'
import { NativeConnection, Worker } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { wakePayments } from '../../activities/chain/dispatch-pending.js'
import { createPaymentActivities, type PaymentActivities } from '../../activities/payments/payment.js'
import { wakeLatePayments } from '../../db/payments/pending-payments.js'
import { paymentId } from '../../temporal/ids.js'
import { createWorkflowGate } from '../../temporal/workflow-gate.js'
import type { Payment } from '../../wire/payment.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { recordedHistories, replayHistory, storeHistory } from '../stage/histories.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'

/** Blocks until a deposit is credited. */
const DEEP = 4
/** Most history events of a payment that is paid by one deposit. */
const BUDGET = 24

let temporal: TestTemporal
let stage: PaymentStage
let connection: NativeConnection
let stopWorker: () => Promise<void>

async function startWorker(
  activities: PaymentActivities = createPaymentActivities({ sql: stage.api.database.sql }),
): Promise<() => Promise<void>> {
  const worker = await Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: 'core',
    workflowBundle: { codePath: await loadWorkflowBundle() },
    activities,
    shutdownGraceTime: '1s',
  })
  const run = worker.run()
  return async () => {
    worker.shutdown()
    await run
  }
}

beforeAll(async () => {
  temporal = await testTemporal()
  stage = await startPaymentStage('bitcoin', temporal)
  connection = await NativeConnection.connect({ address: temporal.address })
  stopWorker = await startWorker()
})
afterAll(async () => {
  await stopWorker?.()
  await connection?.close()
  await stage?.close()
  await temporal?.close()
})

const handleOf = ({ payment_id: id }: Payment) => temporal.client.workflow.getHandle(paymentId(id))
const detailsOf = async (payment: Payment): Promise<string> => {
  const metadata = await handleOf(payment).query<{ currentDetails?: string }>('__temporal_workflow_metadata')
  return metadata.currentDetails ?? ''
}
/** Signals what the rows ask for, as the chain watcher does after each block. */
const dispatch = () =>
  wakePayments(stage.api.database.sql, stage.network, createWorkflowGate(temporal.client.workflow))
const untilDetails = (payment: Payment, part: string) =>
  vi.waitFor(async () => expect(await detailsOf(payment)).toContain(part), { timeout: 20_000, interval: 50 })

test('shows what it waits for, and ends when the payment is confirmed, within 24 events', async () => {
  const payment = await stage.open({ user_reference: 'alice' })
  await untilDetails(payment, '**1 btc from alice** on bitcoin\n\nWaits until ')
  stage.send(payment.address, '1')
  await stage.mine(1)
  await dispatch()
  await untilDetails(payment, '1 btc seen; waits for confirmations')
  await stage.mine(DEEP)
  await dispatch()
  expect(await handleOf(payment).result()).toBe('confirmed')
  const history = await handleOf(payment).fetchHistory()
  expect(history.events?.length).toBeLessThanOrEqual(BUDGET)
  await storeHistory('payment.confirmed', async () => history)
})

test('expires by its timer', async () => {
  const payment = await stage.open({ expires_in_seconds: 5 })
  await untilDetails(payment, 'Waits until')
  expect(await handleOf(payment).result()).toBe('expired')
  expect(await stage.read(payment.payment_id)).toMatchObject({
    status: 'expired',
    history: [{ status: 'pending' }, { status: 'expired', cause: { kind: 'timer', id: null } }],
  })
  const history = await handleOf(payment).fetchHistory()
  // 14 on an idle machine. A busy one was once seen to add two.
  expect(history.events?.length).toBeLessThanOrEqual(16)
  await storeHistory('payment.expired', async () => history)
})

test('expires when its worker comes back after the time, and not before', async () => {
  const payment = await stage.open({ expires_in_seconds: 5 })
  await untilDetails(payment, 'Waits until')
  await stopWorker()
  await new Promise((resolve) => setTimeout(resolve, 6_000))
  expect(await stage.read(payment.payment_id)).toMatchObject({ status: 'pending' })
  stopWorker = await startWorker()
  expect(await handleOf(payment).result()).toBe('expired')
})

test('ends when a person cancels the payment', async () => {
  const payment = await stage.open()
  await untilDetails(payment, 'Waits until')
  await stage.api.call({ method: 'POST', path: `/api/v1/payments/${payment.payment_id}/cancel` })
  expect(await handleOf(payment).result()).toBe('cancelled')
  await storeHistory('payment.cancelled', () => handleOf(payment).fetchHistory())
})

test('runs again when a reorg takes a confirmed payment back', async () => {
  const payment = await stage.open()
  const transaction = stage.send(payment.address, '1')
  await stage.mine(DEEP)
  await dispatch()
  expect(await handleOf(payment).result()).toBe('confirmed')
  await stage.reorganise(DEEP)
  await dispatch()
  await untilDetails(payment, 'Waits until')
  stage.model.send(transaction)
  await stage.mine(DEEP + 1)
  await dispatch()
  expect(await handleOf(payment).result()).toBe('confirmed')
  await storeHistory('payment.reorged', () => handleOf(payment).fetchHistory())
})

test('is started from the row when the start was lost', async () => {
  const { sql } = stage.api.database
  const payment = await stage.open()
  await untilDetails(payment, 'Waits until')
  await handleOf(payment).terminate('lost')
  await sql`UPDATE payments SET wake_due = true WHERE id = ${payment.payment_id}`
  await dispatch()
  await untilDetails(payment, 'Waits until')
  expect(await sql`SELECT 1 FROM payments WHERE wake_due AND id = ${payment.payment_id}`).toEqual([])
})

test('expires once when workers die between the write of their step and its answer', async () => {
  const { sql } = stage.api.database
  const payment = await stage.open()
  await untilDetails(payment, 'Waits until')
  await stopWorker()
  await sql`
    UPDATE payments SET created_at = created_at - interval '2 hours', expires_at = clock_timestamp() - interval '1 ms',
      wake_due = true WHERE id = ${payment.payment_id}`
  await dispatch()
  const { advancePayment } = createPaymentActivities({ sql })
  const answers: unknown[] = []
  stopWorker = await startWorker({
    async advancePayment(id) {
      const progress = await advancePayment(id)
      if (id === payment.payment_id && answers.push(progress?.status) <= 2)
        throw new Error('The answer is lost')
      return progress
    },
  })
  expect(await handleOf(payment).result()).toBe('expired')
  expect(answers).toEqual(['expired', 'expired', 'expired'])
  expect(await stage.reported(payment.payment_id)).toEqual(['pending', 'expired'])
  await stopWorker()
  stopWorker = await startWorker()
})

test('expires by the sweeper when its workflow is lost', async () => {
  const { sql } = stage.api.database
  const payment = await stage.open()
  await untilDetails(payment, 'Waits until')
  await handleOf(payment).terminate('lost')
  await sql`
    UPDATE payments SET created_at = created_at - interval '2 hours', expires_at = clock_timestamp() - interval '2 minutes',
      wake_due = false WHERE id = ${payment.payment_id}`
  expect(await wakeLatePayments(sql)).toBe(1)
  await dispatch()
  expect(await handleOf(payment).result()).toBe('expired')
  expect(await wakeLatePayments(sql)).toBe(0)
})

test('goes on in another run when a payer replaces a transaction again and again', async () => {
  const payment = await stage.open()
  await untilDetails(payment, 'Waits until')
  let inputs: readonly string[] | undefined
  for (let time = 0; time < 80; time++) {
    const amount = time % 2 === 0 ? '1' : '0.9'
    inputs = stage.send(payment.address, amount, 'btc', inputs).inputs
    await stage.look()
    await dispatch()
    await untilDetails(payment, `${amount} btc seen`)
  }
  await stage.expire(payment.payment_id)
  await dispatch()
  expect(await handleOf(payment).result()).toBe('expired')
  const { workflow } = temporal.client
  const id = paymentId(payment.payment_id)
  const runs: WorkflowExecutionInfo[] = []
  for await (const run of workflow.list({ query: `WorkflowId = "${id}"` })) runs.push(run)
  expect(runs.map(({ status }) => status.name).sort()).toEqual(['COMPLETED', 'CONTINUED_AS_NEW'])
  for (const { historyLength } of runs) expect(historyLength).toBeLessThan(520)
  const continued = runs.find(({ status }) => status.name === 'CONTINUED_AS_NEW')
  await storeHistory('payment.continued', () => workflow.getHandle(id, continued?.runId).fetchHistory())
})

const names = recordedHistories('payment')

test('finds a history for every path of a payment', () => {
  expect(names).toEqual([
    'payment.cancelled.pb',
    'payment.confirmed.pb',
    'payment.continued.pb',
    'payment.expired.pb',
    'payment.reorged.pb',
  ])
})

test.each(names)('replays %s, so that running workflows survive this version', replayHistory)
