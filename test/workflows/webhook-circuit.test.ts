/**
 * The circuit of an endpoint that does not work: its deliveries cost nothing while they wait, other endpoints
 * never notice, and all go out in order when it works again.
 */

import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { appendEvents } from '../../db/events/log/append-events.js'
import { lateCircuits } from '../../db/events/webhooks/circuit-waiters.js'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { redeliver } from '../../db/events/webhooks/redeliver.js'
import { updateEndpoint } from '../../db/events/webhooks/update-endpoint.js'
import { newId } from '../../db/new-id.js'
import type { EventType } from '../../domain/events/event.js'
import { startWebhookCircuit } from '../../temporal/start.js'
import { startSealer } from '../../workers/sealer.js'
import { changeEndpoint } from '../stage/change-endpoint.js'
import { storeHistory } from '../stage/histories.js'
import type { WebhookPlatform } from '../stage/webhook-platform.js'
import { startWebhookStage, type WebhookStage } from '../stage/webhook-stage.js'
import type { TestDatabase } from '../support/database.js'
import type { TestTemporal } from '../support/temporal.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

/** Deliveries to the endpoint that does not work: more than open the circuit, and than may be under way. */
const WAITING = 120
/** Most attempts that one endpoint may have under way, and failures that open its circuit. */
const MOST_BEFORE_IT_OPENS = 64 + 20
const INTERVAL_MS = 1_500

let stage: WebhookStage
let temporal: TestTemporal
let database: TestDatabase
let platform: WebhookPlatform
let sealer: Awaited<ReturnType<typeof startSealer>>
let dead: WebhookReceiver
let live: WebhookReceiver

beforeAll(async () => {
  stage = await startWebhookStage({
    retryIntervalMs: INTERVAL_MS,
    // The failures that open a circuit must lie within four time-outs, also on a machine that is busy.
    timeoutMs: 15_000,
  })
  ;({ temporal, database, platform } = stage)
  const log = pino({ level: 'silent' })
  sealer = await startSealer({ sql: database.sql, workflowClient: () => temporal.client.workflow, log })
})
afterAll(async () => {
  await sealer?.stop()
  await stage?.close()
})
beforeEach(async () => {
  dead = await startWebhookReceiver()
  live = await startWebhookReceiver()
  dead.behave(answers(500, 'broken'))
})
afterEach(async () => {
  await database.sql`UPDATE webhook_endpoints SET status = 'deleted'`
  await dead.close()
  await live.close()
})

const until = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 90_000, interval: 100 })

/** Commits events that only the endpoints of this type receive. @returns Their ids, in order. */
async function happen(count: number, type: EventType = 'signer.offline'): Promise<string[]> {
  return platform.sql.begin((tx) =>
    appendEvents(
      tx,
      Array.from({ length: count }, () => ({
        merchantId: platform.merchantId,
        type,
        subject: newId('sig'),
        data: {},
      })),
    ),
  )
}

/**
 * Returns the ids of events that an endpoint accepted, in the order of their first arrival. An answer that comes
 * too late causes a second one.
 */
function acceptedBy(receiver: WebhookReceiver): { ids: string[]; accept: () => void } {
  const ids: string[] = []
  return {
    ids,
    accept: () =>
      receiver.behave((response, request) => {
        const id = String(request.headers['webhook-id'])
        if (!ids.includes(id)) ids.push(id)
        response.writeHead(204).end()
      }),
  }
}

/** Waits until the circuit is open and every delivery that is pending waits for it. */
async function untilAllWait(endpoint: EndpointRow): Promise<void> {
  await until(async () => {
    expect(await platform.circuitState(endpoint)).toBe('open')
    const [row] = await platform.sql`
      SELECT count(*)::int AS awake FROM webhook_deliveries
      WHERE endpoint_id = ${endpoint.id} AND status = 'pending' AND circuit_wait_since IS NULL`
    expect(row).toEqual({ awake: 0 })
  })
}

async function pending(endpoint: EndpointRow): Promise<number> {
  const [row] = await platform.sql<{ count: number }[]>`
    SELECT count(*)::int FROM webhook_deliveries WHERE endpoint_id = ${endpoint.id} AND status = 'pending'`
  return row?.count ?? 0
}

/** Returns the number of history events of these deliveries' workflows. */
async function eventsOf(events: readonly string[], endpoint: EndpointRow): Promise<number> {
  const lengths = await Promise.all(
    events.map(async (event) => (await platform.handle(event, endpoint).describe()).historyLength ?? 0),
  )
  return lengths.reduce((sum, length) => sum + length, 0)
}

const detailsOf = (event: string, endpoint: EndpointRow) =>
  platform.handle(event, endpoint).query<{ currentDetails: string }>('__temporal_workflow_metadata')

test('costs nothing while its deliveries wait, and sends all in order when it works again', async () => {
  const endpoint = await platform.endpoint(dead.url, { eventTypes: ['signer.offline'] })
  const healthy = await platform.endpoint(live.url, { eventTypes: ['signer.online'] })
  const first = await happen(WAITING)
  await untilAllWait(endpoint)
  expect(dead.received.length).toBeLessThan(MOST_BEFORE_IT_OPENS)

  // What comes now makes no attempt at all, and each page in the Temporal UI says why.
  const later = await happen(30)
  await untilAllWait(endpoint)
  expect(await platform.delivery(later[0] ?? '', endpoint)).toMatchObject({
    status: 'pending',
    attempts: [],
    next_attempt_at: null,
    waiting_since: expect.any(Date),
  })
  await until(async () =>
    expect(await detailsOf(later[0] ?? '', endpoint)).toMatchObject({
      currentDetails: expect.stringMatching(/^Waits since 20.* circuit .* open since 20.* over at 20/),
    }),
  )

  // Healthy deliveries go out, and no workflow of a waiting one makes a step meanwhile.
  const waiting = [...first, ...later]
  const before = await eventsOf(waiting, endpoint)
  const requests = dead.received.length
  const began = Date.now()
  for (let number = 0; number < 10; number += 1) {
    const [event = ''] = await happen(1, 'signer.online')
    await until(async () => expect((await platform.delivery(event, healthy)).status).toBe('delivered'))
  }
  expect(live.received).toHaveLength(10)
  expect(await eventsOf(waiting, endpoint)).toBe(before)
  // One probe an interval, always with the oldest.
  const probes = dead.received.slice(requests)
  expect(probes.length).toBeLessThanOrEqual(1 + Math.ceil((Date.now() - began) / INTERVAL_MS))

  const accepted = acceptedBy(dead)
  accepted.accept()
  await until(() => expect(accepted.ids.length).toBeGreaterThanOrEqual(waiting.length))
  expect(accepted.ids).toEqual(waiting)
  expect(await platform.circuit(endpoint).result()).toBe('closed')
  expect(await platform.circuitState(endpoint)).toBe('closed')
  for (const event of waiting) expect(await platform.handle(event, endpoint).result()).toBe('delivered')
  await storeHistory('webhook-circuit.drained', () => platform.circuit(endpoint).fetchHistory())
  await storeHistory('webhook-delivery.waited', () =>
    platform.handle(later[0] ?? '', endpoint).fetchHistory(),
  )
}, 180_000)

test('keeps nothing back for a delivery that the endpoint never accepts', async () => {
  const endpoint = await platform.endpoint(dead.url, { eventTypes: ['signer.offline'] })
  const events = await happen(40)
  await untilAllWait(endpoint)
  // The circuit has been open for a while: the next probe may go to another delivery than the oldest.
  await platform.sql`UPDATE webhook_circuits SET probes = 11 WHERE endpoint_id = ${endpoint.id}`
  const [poison = ''] = events
  const others = new Set(events.slice(1))
  dead.behave((response, request) => {
    const id = String(request.headers['webhook-id'])
    if (id !== poison) others.delete(id)
    response.writeHead(id === poison ? 500 : 204).end()
  })
  await until(() => expect(others.size).toBe(0))
  await until(async () => expect(await platform.circuitState(endpoint)).toBe('closed'))
  expect((await platform.delivery(poison, endpoint)).status).toBe('pending')
  // It goes on by its own timer.
  dead.behave(answers(204))
  expect(await platform.handle(poison, endpoint).result()).toBe('delivered')
}, 120_000)

test('sends a redelivery that a person requests at once, and takes its success for a probe', async () => {
  const endpoint = await platform.endpoint(dead.url, { eventTypes: ['signer.offline'] })
  const events = await happen(40)
  await untilAllWait(endpoint)
  // No probe comes within the test.
  await platform.sql`UPDATE webhook_circuits SET due_at = now() + interval '1 hour' WHERE endpoint_id = ${endpoint.id}`
  await startWebhookCircuit(platform.client.workflow, endpointOf(endpoint))
  const chosen = events[20] ?? ''
  const again = async () => {
    await platform.sql.begin((tx) =>
      redeliver(tx, platform.merchantId, platform.deliveryId(chosen, endpoint)),
    )
  }
  const attempts = async () => (await platform.delivery(chosen, endpoint)).attempts.length
  const made = await attempts()
  await again()
  await until(async () => expect(await attempts()).toBe(made + 1))
  expect(await platform.circuitState(endpoint)).toBe('open')
  const accepted = acceptedBy(dead)
  accepted.accept()
  await again()
  await until(async () => expect(await pending(endpoint)).toBe(0))
  expect(accepted.ids).toEqual([chosen, ...events.filter((event) => event !== chosen)])
}, 120_000)

const endpointOf = ({ id, url }: EndpointRow) => ({ id, url, merchantId: platform.merchantId })

test('opens again when the endpoint fails while what waits is sent, and goes on where it was', async () => {
  const endpoint = await platform.endpoint(dead.url, { eventTypes: ['signer.offline'] })
  const events = await happen(60)
  await untilAllWait(endpoint)
  const accepted: string[] = []
  let works = 10
  dead.behave((response, request) => {
    works -= 1
    if (works < 0) {
      response.writeHead(503).end()
      return
    }
    accepted.push(String(request.headers['webhook-id']))
    response.writeHead(204).end()
  })
  await until(async () => {
    expect(accepted.length).toBe(10)
    expect(await platform.circuitState(endpoint)).toBe('open')
  })
  works = 1_000
  await until(async () => expect(await pending(endpoint)).toBe(0))
  expect(accepted).toEqual(events)
  for (const event of events) expect(await platform.handle(event, endpoint).result()).toBe('delivered')
}, 120_000)

test('holds what waits when the endpoint is disabled, and sends it when it is enabled again', async () => {
  const endpoint = await platform.endpoint(dead.url, { eventTypes: ['signer.offline'] })
  const events = await happen(30)
  await untilAllWait(endpoint)
  const set = (status: 'active' | 'disabled') =>
    changeEndpoint(platform.sql, endpoint.id, (tx) =>
      updateEndpoint(tx, platform.merchantId, endpoint.id, { status }),
    )
  await set('disabled')
  await startWebhookCircuit(platform.client.workflow, endpointOf(endpoint))
  for (const event of events) expect(await platform.handle(event, endpoint).result()).toBe('held')
  expect(await platform.circuit(endpoint).result()).toBe('closed')
  await storeHistory('webhook-circuit.disabled', () => platform.circuit(endpoint).fetchHistory())
  dead.behave(answers(204))
  await set('active')
  await until(async () => expect(await pending(endpoint)).toBe(0))
}, 120_000)

describe('a circuit whose workflow is gone', () => {
  test('is found by the sweeper, and its deliveries go out', async () => {
    const endpoint = await platform.endpoint(dead.url, { eventTypes: ['signer.offline'] })
    const events = await happen(30)
    await untilAllWait(endpoint)
    await platform.circuit(endpoint).terminate('by mistake')
    const accepted = acceptedBy(dead)
    accepted.accept()
    await until(async () =>
      expect((await lateCircuits(platform.sql, 0, 100)).map(({ id }) => id)).toContain(endpoint.id),
    )
    expect(accepted.ids).toEqual([])
    await startWebhookCircuit(platform.client.workflow, endpointOf(endpoint))
    await until(async () => expect(await pending(endpoint)).toBe(0))
    expect(accepted.ids).toEqual(events)
  }, 120_000)

  test('and a delivery whose workflow is gone are sent as well, and wake no workflow', async () => {
    const endpoint = await platform.endpoint(dead.url, { eventTypes: ['signer.offline'] })
    const events = await happen(30)
    await untilAllWait(endpoint)
    const [gone = ''] = events
    await platform.handle(gone, endpoint).terminate('by mistake')
    dead.behave(answers(204))
    await until(async () => expect(await pending(endpoint)).toBe(0))
    expect(await platform.circuit(endpoint).result()).toBe('closed')
  }, 120_000)
})
