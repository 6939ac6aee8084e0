/** The first attempt of a delivery runs within the workflow's first task, and a regular activity finishes a slow one. */

import { Client, type WorkflowClient } from '@temporalio/client'
import type { NativeConnection } from '@temporalio/worker'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { claimFirstAttempt } from '../../db/events/webhooks/claim-first-attempt.js'
import { LOST } from '../../db/events/webhooks/record-attempt.js'
import { startWebhookDelivery } from '../../temporal/start.js'
import { isTemporalOutage } from '../../temporal/temporal-outage.js'
import { startSealer } from '../../workers/sealer.js'
import { startDeliveries } from '../../workers/start-deliveries.js'
import { storeHistory } from '../stage/histories.js'
import type { WebhookPlatform } from '../stage/webhook-platform.js'
import { startWebhookStage, type WebhookStage } from '../stage/webhook-stage.js'
import type { TestDatabase } from '../support/database.js'
import type { TestTemporal } from '../support/temporal.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

let stage: WebhookStage
let temporal: TestTemporal
let connection: NativeConnection
let database: TestDatabase
let platform: WebhookPlatform
let receiver: WebhookReceiver

beforeAll(async () => {
  stage = await startWebhookStage({ timeoutMs: 15_000 })
  ;({ temporal, connection, database, platform } = stage)
})
afterAll(async () => {
  await stage?.close()
})
beforeEach(async () => {
  receiver = await startWebhookReceiver()
})
afterEach(async () => {
  await database.sql`UPDATE webhook_endpoints SET status = 'deleted'`
  await receiver.close()
})

const until = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 20_000, interval: 25 })
type Handle = ReturnType<WebhookPlatform['handle']>
/** Returns the number of regular activities of a delivery. */
const activities = async (handle: Handle) =>
  (await handle.fetchHistory()).events?.filter((each) => each.activityTaskScheduledEventAttributes).length
const details = (handle: Handle) => handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata')
/** Lets the receiver answer only on request. @returns The function that answers all requests so far. */
function holdAnswers(): () => void {
  const waiting: (() => void)[] = []
  receiver.behave((response) => waiting.push(() => response.writeHead(204).end()))
  return () => {
    for (const answer of waiting.splice(0)) answer()
  }
}

test('ends within the first task and shows operators how', async () => {
  const endpoint = await platform.endpoint(receiver.url)
  const event = await platform.happen()
  const handle = platform.handle(event, endpoint)
  expect(await handle.result()).toBe('delivered')
  expect(await activities(handle)).toBe(0)
  expect(await details(handle)).toMatchObject({ currentDetails: 'Delivered: HTTP 204' })
  const description = await handle.describe()
  expect(await description.staticSummary()).toBe(
    `Webhook deposit.status_changed to 127.0.0.1:${receiver.port}`,
  )
})

test('sends an event once to a slow endpoint, whose answer a regular activity waits for', async () => {
  const answer = holdAnswers()
  const endpoint = await platform.endpoint(receiver.url)
  const event = await platform.happen()
  const handle = platform.handle(event, endpoint)
  await until(async () => expect(await activities(handle)).toBe(1))
  expect(await details(handle)).toMatchObject({ currentDetails: 'The endpoint has not answered yet' })
  answer()
  expect(await handle.result()).toBe('delivered')
  expect(receiver.received).toHaveLength(1)
  expect(await platform.delivery(event, endpoint)).toMatchObject({
    status: 'delivered',
    attempts: [{ number: 1, status_code: 204 }],
  })
  await storeHistory('webhook-delivery.slow', () => handle.fetchHistory())
})

test('begins the next attempt at an endpoint that failed or was slow as a regular activity, until one succeeds', async () => {
  receiver.behave(answers(500))
  const endpoint = await platform.endpoint(receiver.url)
  const deliver = async () => {
    const event = await platform.happen()
    const handle = platform.handle(event, endpoint)
    await until(async () => expect((await platform.delivery(event, endpoint)).attempts).toHaveLength(1))
    return (await activities(handle)) ?? Number.NaN
  }
  expect(await deliver()).toBe(0)
  expect(await deliver()).toBe(1)
  receiver.behave(answers(204))
  expect(await deliver()).toBe(1)
  expect(await deliver()).toBe(0)
  expect(receiver.received).toHaveLength(4)
})

test('counts an attempt of a process that died as lost once its time-out is over, and sends again', async () => {
  const endpoint = await platform.endpoint(receiver.url)
  const event = await platform.sql.begin((tx) => platform.append(tx))
  await platform.sealOnly()
  const id = platform.deliveryId(event, endpoint)
  // Another process began the attempt and died before it stored a result.
  expect(await claimFirstAttempt(platform.sql, id)).toMatchObject({ claimed: true })
  await platform.seal()
  const handle = platform.handle(event, endpoint)
  await until(async () => expect(await activities(handle)).toBe(1))
  expect(receiver.received).toHaveLength(0)
  const [row] = await platform.sql<{ first_attempt_at: Date }[]>`
    UPDATE webhook_deliveries SET first_attempt_at = first_attempt_at - interval '1 minute' WHERE id = ${id}
    RETURNING first_attempt_at`
  expect(await handle.result()).toBe('delivered')
  expect((await platform.delivery(event, endpoint)).attempts).toMatchObject([
    { number: 1, at: row?.first_attempt_at.toISOString(), status_code: null, error: LOST },
    { number: 2, status_code: 204 },
  ])
  expect(receiver.received).toHaveLength(1)
})

test('ends with the result that another process stored meanwhile', async () => {
  const endpoint = await platform.endpoint(receiver.url)
  const event = await platform.sql.begin((tx) => platform.append(tx))
  await platform.sealOnly()
  const id = platform.deliveryId(event, endpoint)
  await claimFirstAttempt(platform.sql, id)
  await platform.seal()
  const handle = platform.handle(event, endpoint)
  await until(async () => expect(await activities(handle)).toBe(1))
  await platform.record(id, 202)
  expect(await handle.result()).toBe('delivered')
  expect(await details(handle)).toMatchObject({ currentDetails: 'Delivered: HTTP 202' })
  expect(receiver.received).toHaveLength(0)
})

test('is given to the process of the sealer with the answer to the start, if it serves the webhooks', async () => {
  const { workflow } = new Client({ connection, namespace: temporal.namespace })
  const log = pino({ level: 'silent' })
  const sealer = await startSealer({
    sql: database.sql,
    workflowClient: () => temporal.client.workflow,
    eagerClient: () => workflow,
    log,
  })
  const endpoint = await platform.endpoint(receiver.url)
  const event = await platform.sql.begin((tx) => platform.append(tx))
  await receiver.count(1)
  const handle = platform.handle(event, endpoint)
  expect(await handle.result()).toBe('delivered')
  const [started] = (await handle.fetchHistory()).events ?? []
  expect(started?.workflowExecutionStartedEventAttributes).toMatchObject({ eagerExecutionAccepted: true })
  await sealer.stop()
})

test('is given to the process of the sealer in small batches if many deliveries start together', async () => {
  const { workflow } = new Client({ connection, namespace: temporal.namespace })
  const endpoint = await platform.endpoint(receiver.url)
  const events = await platform.sql.begin(async (tx) => {
    const ids: string[] = []
    for (let event = 0; event < 20; event++) ids.push(await platform.append(tx))
    return ids
  })
  await platform.sealOnly()
  const start = (eager?: WorkflowClient) =>
    startDeliveries(
      database.sql,
      { client: temporal.client.workflow, eager },
      pino({ level: 'silent' }),
      'sendable',
    )
  expect(await start(workflow)).toBe('more')
  await receiver.count(16)
  // A sealer of another process starts the rest.
  expect(await start()).toBe('none')
  await receiver.count(20)
  const accepted: boolean[] = []
  for (const event of events) {
    const [started] = (await platform.handle(event, endpoint).fetchHistory()).events ?? []
    accepted.push(started?.workflowExecutionStartedEventAttributes?.eagerExecutionAccepted === true)
  }
  // A worker without a free slot takes a task from the queue.
  expect(accepted.slice(0, 16)).toContain(true)
  expect(accepted.slice(16)).toEqual([false, false, false, false])
})

describe('a start on the connection of a worker', () => {
  test('finds a delivery that runs', async () => {
    receiver.behave(answers(500))
    const { workflow } = new Client({ connection, namespace: temporal.namespace })
    const endpoint = await platform.endpoint(receiver.url)
    const event = await platform.happen()
    await until(async () => expect((await platform.delivery(event, endpoint)).attempts).toHaveLength(1))
    const input = {
      id: platform.deliveryId(event, endpoint),
      eventId: event,
      endpointId: endpoint.id,
      merchantId: platform.merchantId,
      title: 'test',
    }
    await startWebhookDelivery(workflow, input, true)
    expect(receiver.received).toHaveLength(1)
  })

  test('fails with an outage, and not with a refusal, when the server does not answer in time', async () => {
    const { workflow } = new Client({ connection, namespace: temporal.namespace })
    const input = { id: 'whd_1', eventId: 'evt_1', endpointId: 'whe_1', merchantId: 'mer_1', title: 'test' }
    const error = await workflow
      .withDeadline(Date.now() + 1, () => startWebhookDelivery(workflow, input, true))
      .catch((reason: unknown) => reason)
    expect(isTemporalOutage(error)).toBe(true)
  })
})
