/** Retries of a delivery keep to the schedule and end with the window. */

import { MockActivityEnvironment, type TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker } from '@temporalio/worker'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AttemptInput, AttemptOutcome } from '../../activities/events/attempt.js'
import { appendEvent } from '../../db/events/log/append-event.js'
import { sealEvents } from '../../db/events/log/seal-events.js'
import { redeliver } from '../../db/events/webhooks/redeliver.js'
import { sealSecret } from '../../vault/seal-secret.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { storeHistory } from '../stage/histories.js'
import { startWebhookPlatform } from '../stage/webhook-platform.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'
import { timeSkippingEnvironment } from '../support/time-skipping.js'
import { answers, startWebhookReceiver } from '../support/webhook-receiver.js'

let environment: TestWorkflowEnvironment
let database: TestDatabase
beforeAll(async () => {
  environment = await timeSkippingEnvironment()
  database = await freshDatabase()
})
afterAll(async () => {
  await environment?.teardown()
  await database?.drop()
})

test('sends once and 288 times again, every 5 minutes for 24 hours, to an endpoint that never accepts', async () => {
  const platform = await startWebhookPlatform({
    sql: database.sql,
    client: environment.client,
    connection: environment.nativeConnection,
    namespace: environment.namespace ?? 'default',
  })
  const receiver = await startWebhookReceiver()
  receiver.behave(answers(500, 'still broken'))
  const endpoint = await platform.endpoint(receiver.url)
  const event = await platform.happen()
  expect(await platform.handle(event, endpoint).result()).toBe('exhausted')

  const delivery = await platform.delivery(event, endpoint)
  expect(delivery).toMatchObject({ status: 'exhausted', next_attempt_at: null })
  expect(delivery.attempts).toHaveLength(1 + 288)
  expect(delivery.attempts.map((each) => each.number)).toEqual(Array.from({ length: 289 }, (_, i) => i + 1))
  expect(new Set(receiver.received.map((each) => each.body.toString()))).toHaveProperty('size', 1)
  expect(new Set(receiver.received.map((each) => each.headers['webhook-id']))).toEqual(new Set([event]))

  const description = await platform.handle(event, endpoint).describe()
  const ranFor = (description.closeTime?.getTime() ?? 0) - description.startTime.getTime()
  expect(Math.round(ranFor / 60_000)).toBe(24 * 60)

  const raised = await platform.sql<{ data: Record<string, unknown> }[]>`
    SELECT data FROM events WHERE type = 'exception.raised'`
  expect(raised.map((each) => each.data)).toMatchObject([
    {
      kind: 'webhook_exhausted',
      detail: 'webhook.delivery_exhausted',
      subject: delivery.id,
      event_id: event,
      error: 'HTTP 500',
    },
  ])
  const audited = await platform.sql<{ subject: string }[]>`
    SELECT subject FROM audit_log WHERE action = 'webhook_delivery.exhausted'`
  expect(audited.map((each) => each.subject)).toEqual([delivery.id])

  // The exception is in the event log alone, as the endpoint that it is about is dead.
  await platform.seal()
  const [sealed] = await platform.sql<{ sequence: bigint | null; deliveries: number }[]>`
    SELECT sequence, (SELECT count(*)::int FROM webhook_deliveries WHERE event_id = events.id) AS deliveries
    FROM events WHERE type = 'exception.raised'`
  expect(sealed).toMatchObject({ deliveries: 0 })
  expect(sealed?.sequence).not.toBeNull()

  await receiver.close()
  await platform.close()
}, 240_000)

const platform = (retryWindowMs: number) =>
  startWebhookPlatform({
    sql: database.sql,
    client: environment.client,
    connection: environment.nativeConnection,
    namespace: environment.namespace ?? 'default',
    retryWindowMs,
  })

test('ends a delivery that the platform cannot sign as any other, and says why', async () => {
  const here = await platform(600_000)
  const receiver = await startWebhookReceiver()
  const endpoint = await here.endpoint(receiver.url)
  const sealed = sealSecret('99'.repeat(32), Buffer.from(endpoint.secret), {
    table: 'webhook_endpoints',
    key: [endpoint.id],
  })
  await here.sql`UPDATE webhook_endpoints SET secret_sealed = ${sealed} WHERE id = ${endpoint.id}`
  const event = await here.happen()
  expect(await here.handle(event, endpoint).result()).toBe('exhausted')
  const delivery = await here.delivery(event, endpoint)
  expect(delivery.status).toBe('exhausted')
  expect(delivery.attempts).toHaveLength(3)
  for (const { error } of delivery.attempts) {
    expect(error).toContain('Not sent: A secret of webhook_endpoints is sealed under the master key')
  }
  const [raised] = await here.sql<{ data: Record<string, unknown> }[]>`
    SELECT data FROM events WHERE type = 'exception.raised' AND subject = ${delivery.id}`
  expect(raised?.data).toMatchObject({ error: expect.stringContaining('Not sent') })
  expect(receiver.received).toEqual([])
  await receiver.close()
  await here.close()
}, 120_000)

test.each(['at once', 'when the run has ended'])(
  'makes a redelivery that a person requests during the last attempt, though the sealer starts it %s',
  async (when) => {
    const here = await platform(600_000)
    const receiver = await startWebhookReceiver()
    const endpoint = await here.endpoint(receiver.url)
    const event = await here.happen()
    const redelivered = async () => {
      const { id } = await here.delivery(event, endpoint)
      await here.sql.begin((tx) => redeliver(tx, here.merchantId, id))
      if (when === 'at once') await here.seal()
    }
    receiver.behave((response, request) => {
      const behave = answers(receiver.received.length <= 3 ? 500 : 200)
      // The third attempt is the last of its window.
      if (receiver.received.length === 3) void redelivered().then(() => behave(response, request))
      else behave(response, request)
    })
    if (when === 'at once') {
      expect(await here.handle(event, endpoint).result()).toBe('delivered')
    } else {
      expect(await here.handle(event, endpoint).result()).toBe('exhausted')
      expect(await here.delivery(event, endpoint)).toMatchObject({ status: 'pending' })
      await here.seal()
      expect(await here.handle(event, endpoint).result()).toBe('delivered')
    }
    const delivery = await here.delivery(event, endpoint)
    expect(delivery.status).toBe('delivered')
    expect(delivery.attempts.map((each) => each.status_code)).toEqual([500, 500, 500, 200])
    const raised =
      await here.sql`SELECT 1 FROM events WHERE type = 'exception.raised' AND subject = ${delivery.id}`
    expect(raised).toHaveLength(0)
    await receiver.close()
    await here.close()
  },
  120_000,
)

test('ends a delivery without any result at the end of its window, unless a person requests another attempt', async () => {
  const here = await platform(600_000)
  const receiver = await startWebhookReceiver()
  receiver.behave(answers(500, 'broken'))
  const endpoint = await here.endpoint(receiver.url)
  const event = await here.sql.begin((tx) =>
    appendEvent(tx, { merchantId: here.merchantId, type: 'webhook.test', subject: 's', data: {} }),
  )
  await sealEvents(here.sql)
  const { id: deliveryId } = await here.delivery(event, endpoint)
  const lost = ['2026-01-02T03:04:05.000Z', '2026-01-02T03:09:05.000Z']
  const attempt = (input: Partial<AttemptInput>) =>
    new MockActivityEnvironment().run(here.activities.attemptWebhookDelivery, {
      deliveryId,
      elapsedMs: 600_001,
      lost,
      ...input,
    })
  expect(await attempt({})).toMatchObject({ kind: 'exhausted', error: expect.stringContaining('No result') })
  expect(receiver.received).toEqual([])
  const delivery = await here.delivery(event, endpoint)
  expect(delivery.status).toBe('exhausted')
  expect(delivery.attempts.map((each) => each.at)).toEqual(lost)
  const [audited] = await here.sql`
    SELECT 1 FROM audit_log WHERE action = 'webhook_delivery.exhausted' AND subject = ${deliveryId}`
  expect(audited).toBeDefined()

  await here.sql.begin((tx) => redeliver(tx, here.merchantId, deliveryId))
  expect(await attempt({ asked: true, lost: lost.slice(1) })).toMatchObject({
    kind: 'exhausted',
    error: 'HTTP 500',
  })
  expect(receiver.received).toHaveLength(1)
  await receiver.close()
  await here.close()
}, 60_000)

describe('with attempts that a test answers', () => {
  /** Runs one delivery. `play` gets each attempt's input and number. @returns What the workflow recorded. */
  async function run(
    id: string,
    play: (input: AttemptInput, number: number) => Promise<AttemptOutcome>,
    signals: string[] = [],
  ) {
    const inputs: AttemptInput[] = []
    const taskQueue = `played-${id}`
    const worker = await Worker.create({
      connection: environment.nativeConnection,
      taskQueue,
      workflowBundle: { codePath: await loadWorkflowBundle() },
      activities: {
        attemptWebhookDelivery: (input: AttemptInput) => {
          inputs.push(input)
          return play(input, inputs.length)
        },
        cancelWebhookDelivery: async () => {},
      },
    })
    const result = await worker.runUntil(async () => {
      const handle = await environment.client.workflow.start('webhookDelivery', {
        workflowId: id,
        taskQueue,
        args: [{ id, eventId: 'evt_1', endpointId: 'whe_1', merchantId: 'mer_1', title: 'test' }],
      })
      for (const signal of signals) await handle.signal(signal)
      return handle.result()
    })
    return { result, inputs }
  }
  const failed = { kind: 'failed', error: 'HTTP 500', retryInMs: 300_000 } as const
  const delivered = { kind: 'delivered', statusCode: 200 } as const

  test('counts an attempt as unreachable when its worker dies, and reports it at the next attempt', async () => {
    const { result, inputs } = await run('lost', async (_input, number) => {
      if (number <= 2) throw new Error('the worker is gone')
      return delivered
    })
    expect(result).toBe('delivered')
    expect(inputs.map((each) => each.lost.length)).toEqual([0, 1, 2])
    expect(inputs[2]?.elapsedMs).toBeLessThan(60_000)
  })

  test('keeps to the schedule, however long an attempt takes', async () => {
    const { inputs } = await run('schedule', async (_input, number) => (number < 20 ? failed : delivered))
    expect(inputs.map((each) => each.elapsedMs)).toEqual(Array.from({ length: 20 }, (_, i) => i * 300_000))
  })

  test('makes a postponed attempt at its new time', async () => {
    const { inputs } = await run('postponed', async (_input, number) =>
      number === 1 ? { kind: 'postponed', delayMs: 60_000 } : delivered,
    )
    expect(inputs).toHaveLength(2)
    expect(inputs[1]?.elapsedMs).toBeGreaterThanOrEqual(60_000)
    expect(inputs[1]?.elapsedMs).toBeLessThan(120_000)
  })

  test('makes a redelivery that was requested during the last attempt before it ends', async () => {
    let first = true
    const { result, inputs } = await run('wanted', async () => {
      if (first) {
        first = false
        await environment.client.workflow.getHandle('wanted').signal('retryNow')
        return { kind: 'held' }
      }
      return delivered
    })
    expect(result).toBe('delivered')
    expect(inputs).toHaveLength(2)
  })

  test('ends when it is cancelled', async () => {
    const { result } = await run('cancelled', async () => failed, ['cancel'])
    expect(result).toBe('cancelled')
  })
})

test('ends a delivery that waits for the circuit of its endpoint with its window, without an attempt', async () => {
  const here = await startWebhookPlatform({
    sql: database.sql,
    client: environment.client,
    connection: environment.nativeConnection,
    namespace: environment.namespace ?? 'default',
  })
  const receiver = await startWebhookReceiver()
  const endpoint = await here.endpoint(receiver.url)
  // No probe comes, as the database's clock does not skip.
  await here.sql`
    INSERT INTO webhook_circuits (endpoint_id, state, due_at)
    VALUES (${endpoint.id}, 'open', now() + interval '1 day')`
  const event = await here.happen()
  expect(await here.handle(event, endpoint).result()).toBe('exhausted')
  const { startTime, closeTime } = await here.handle(event, endpoint).describe()
  expect(Math.round(((closeTime?.getTime() ?? 0) - startTime.getTime()) / 60_000)).toBe(24 * 60)
  expect(receiver.received).toEqual([])
  const delivery = await here.delivery(event, endpoint)
  expect(delivery).toMatchObject({ status: 'exhausted', attempts: [], waiting_since: null })
  const [raised] = await here.sql<{ data: Record<string, unknown> }[]>`
    SELECT data FROM events WHERE type = 'exception.raised' AND subject = ${delivery.id}`
  expect(raised?.data).toMatchObject({
    kind: 'webhook_exhausted',
    error: expect.stringContaining('circuit'),
  })
  // One timer for the whole window: no retries of its own.
  const history = await here.handle(event, endpoint).fetchHistory()
  expect(history.events?.filter((each) => each.timerStartedEventAttributes)).toHaveLength(1)
  expect(history.events?.length).toBeLessThanOrEqual(18)
  await storeHistory('webhook-delivery.waited-out', async () => history)

  // A person's request goes out although the circuit is open.
  await here.sql.begin((tx) => redeliver(tx, here.merchantId, delivery.id))
  await here.seal()
  expect(await here.handle(event, endpoint).result()).toBe('delivered')
  await receiver.close()
  await here.close()
}, 120_000)
