/** Replays of past events on real workflows: interrupted, capped, at an endpoint whose circuit is open, cancelled. */

import { NativeConnection } from '@temporalio/worker'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { restartReplays } from '../../activities/operations/restart-workflows.js'
import type { SweeperDependencies } from '../../activities/operations/sweeper-dependencies.js'
import { appendEvents } from '../../db/events/log/append-events.js'
import { cancelReplay } from '../../db/events/replays/cancel-replay.js'
import { createReplay, type NewReplay } from '../../db/events/replays/create-replay.js'
import { findReplay } from '../../db/events/replays/find-replay.js'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { newId } from '../../db/new-id.js'
import { webhookReplayId } from '../../temporal/ids.js'
import { startWebhookReplay } from '../../temporal/start.js'
import { createWorkflowGate } from '../../temporal/workflow-gate.js'
import { startSealer } from '../../workers/sealer.js'
import { storeHistory } from '../stage/histories.js'
import { startWebhookPlatform, type WebhookPlatform } from '../stage/webhook-platform.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

let temporal: TestTemporal
let connection: NativeConnection
let database: TestDatabase
let platform: WebhookPlatform
let sealer: Awaited<ReturnType<typeof startSealer>>
let receiver: WebhookReceiver
/** Begin of the test, and of the windows of its replays. */
let began: Date

const startPlatform = () =>
  startWebhookPlatform({
    sql: database.sql,
    client: temporal.client,
    connection,
    namespace: temporal.namespace,
    timeoutMs: 15_000,
  })

beforeAll(async () => {
  temporal = await testTemporal()
  connection = await NativeConnection.connect({ address: temporal.address })
  database = await freshDatabase()
  platform = await startPlatform()
  const log = pino({ level: 'silent' })
  sealer = await startSealer({ sql: database.sql, workflowClient: () => temporal.client.workflow, log })
})
afterAll(async () => {
  await sealer?.stop()
  await platform?.close()
  await database?.drop()
  await connection?.close()
  await temporal?.close()
})
beforeEach(async () => {
  receiver = await startWebhookReceiver()
  began = new Date()
})
afterEach(async () => {
  await database.sql`UPDATE webhook_endpoints SET status = 'deleted'`
  await receiver.close()
})

const until = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 90_000, interval: 50 })
const receivedIds = () => receiver.received.map(({ headers }) => String(headers['webhook-id']))
const handle = (id: string) => temporal.client.workflow.getHandle(webhookReplayId(id))

/** Commits events of objects of their own. @returns Their ids, in order. */
async function happen(merchantId: string, count: number): Promise<string[]> {
  return database.sql.begin((tx) =>
    appendEvents(
      tx,
      Array.from({ length: count }, () => ({
        merchantId,
        type: 'signer.offline' as const,
        subject: newId('sig'),
        data: {},
      })),
    ),
  )
}

async function start(endpoint: EndpointRow, wanted: Partial<NewReplay>): Promise<string> {
  const { replay } = await database.sql.begin((tx) =>
    createReplay(tx, endpoint, {
      mode: 'missing',
      since: began,
      until: null,
      eventTypes: null,
      dryRun: false,
      rate: null,
      ...wanted,
    }),
  )
  const { id, merchant_id: merchantId, url } = endpoint
  await startWebhookReplay(temporal.client.workflow, { id: replay.id, endpointId: id, merchantId, url })
  return replay.id
}
const show = (endpoint: EndpointRow, id: string) =>
  findReplay(database.sql, endpoint.merchant_id, endpoint.id, id)

/** Waits until every event is sealed, so that a replay finds it. */
const untilSealed = () =>
  until(async () => {
    const [row] = await database.sql`SELECT count(*)::int AS left FROM events WHERE sequence IS NULL`
    expect(row).toEqual({ left: 0 })
  })

test('goes on in another worker when its own is stopped half-way, and sends each event once', async () => {
  const ids = await happen(platform.merchantId, 120)
  await untilSealed()
  const endpoint = await platform.endpoint(receiver.url)
  const id = await start(endpoint, {})
  await until(() => expect(receiver.received.length).toBeGreaterThan(20))
  await platform.close()
  const before = receiver.received.length
  expect(before).toBeLessThan(120)
  platform = await startPlatform()
  expect(await handle(id).result()).toBe('completed')
  expect(await show(endpoint, id)).toMatchObject({
    status: 'completed',
    matched: 120,
    sent: 120,
    delivered: 120,
  })
  expect(receivedIds()).toHaveLength(120)
  expect(new Set(receivedIds())).toEqual(new Set(ids))
  await storeHistory('webhook-replay.interrupted', () => handle(id).fetchHistory())
}, 180_000)

test('is started by the sweeper if the request that created it died before it', async () => {
  const ids = await happen(platform.merchantId, 3)
  await untilSealed()
  const endpoint = await platform.endpoint(receiver.url)
  const { replay } = await database.sql.begin((tx) =>
    createReplay(tx, endpoint, {
      mode: 'missing',
      since: began,
      until: null,
      eventTypes: null,
      dryRun: false,
      rate: null,
    }),
  )
  const sweeping = {
    sql: database.sql,
    gate: createWorkflowGate(temporal.client.workflow),
    log: pino({ level: 'silent' }),
    unseenMs: 0,
  } as unknown as SweeperDependencies
  expect(await restartReplays(sweeping)).toBe(1)
  // A second start finds the workflow that runs.
  await restartReplays(sweeping)
  expect(await handle(replay.id).result()).toBe('completed')
  expect(receivedIds().sort()).toEqual([...ids].sort())
  expect(await restartReplays(sweeping)).toBe(0)
}, 60_000)

test('keeps to its rate', async () => {
  await happen(platform.merchantId, 16)
  await untilSealed()
  const endpoint = await platform.endpoint(receiver.url)
  const id = await start(endpoint, { rate: 4 })
  expect(await handle(id).result()).toBe('completed')
  const times = receiver.received.map(({ at }) => at)
  expect(times).toHaveLength(16)
  // The first and the last eight deliveries are at least this far apart, however late each one is.
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(2_000)
  for (const [index, at] of times.entries()) {
    expect(times.slice(index).filter((each) => each < at + 1_000).length).toBeLessThanOrEqual(8)
  }
}, 120_000)

test('sends at once what failed until the circuit opened, each event once, when the endpoint works again', async () => {
  receiver.behave(answers(500))
  const endpoint = await platform.endpoint(receiver.url)
  const ids = await happen(platform.merchantId, 60)
  await until(async () => {
    expect(await platform.circuitState(endpoint)).toBe('open')
    const [row] = await database.sql`
      SELECT count(*)::int AS awake FROM webhook_deliveries
      WHERE endpoint_id = ${endpoint.id} AND circuit_wait_since IS NULL AND attempts = 0`
    expect(row).toEqual({ awake: 0 })
  })
  const [row] = await database.sql<{ failed: number }[]>`
    SELECT count(*)::int AS failed FROM webhook_deliveries WHERE endpoint_id = ${endpoint.id} AND attempts > 0`
  receiver.received.length = 0
  receiver.behave(answers(204))
  const id = await start(endpoint, { mode: 'failed' })
  expect(await handle(id).result()).toBe('completed')
  const failed = row?.failed ?? 0
  expect(failed).toBeGreaterThanOrEqual(20)
  expect(await show(endpoint, id)).toMatchObject({
    matched: failed,
    sent: failed,
    delivered: failed,
    failed: 0,
  })
  // What waited without an attempt goes out by the circuit. Nothing goes out by both.
  await until(() => expect(new Set(receivedIds())).toEqual(new Set(ids)))
  await until(async () => expect(await platform.circuitState(endpoint)).toBe('closed'))
  expect(receivedIds()).toHaveLength(60)
}, 120_000)

test('completes at an endpoint that accepts nothing, and is cancelled on request', async () => {
  receiver.behave(answers(500))
  await happen(platform.merchantId, 40)
  await untilSealed()
  const endpoint = await platform.endpoint(receiver.url)
  const id = await start(endpoint, {})
  expect(await handle(id).result()).toBe('completed')
  const shown = await show(endpoint, id)
  expect(shown).toMatchObject({ sent: shown?.matched, failed: shown?.matched, delivered: 0 })

  const slow = await platform.endpoint(receiver.url)
  const second = await start(slow, { rate: 1 })
  await until(async () => expect((await show(slow, second))?.sent).toBeGreaterThan(0))
  await database.sql.begin((tx) => cancelReplay(tx, slow.merchant_id, slow.id, second))
  await handle(second).signal('look')
  expect(await handle(second).result()).toBe('cancelled')
  const cancelled = await show(slow, second)
  expect(cancelled?.status).toBe('cancelled')
  expect(cancelled?.sent).toBeLessThan(cancelled?.matched ?? 0)
  await storeHistory('webhook-replay.cancelled', () => handle(second).fetchHistory())
}, 120_000)
