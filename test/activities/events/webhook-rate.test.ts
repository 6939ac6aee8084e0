/** An endpoint's limit of deliveries a second, over workers that know nothing of one another. */

import { setTimeout as sleep } from 'node:timers/promises'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { attemptDelivery } from '../../../activities/events/attempt-delivery.js'
import { createWebhookCircuitActivities } from '../../../activities/events/webhook-circuit.js'
import { appendEvents } from '../../../db/events/log/append-events.js'
import { sealEvents } from '../../../db/events/log/seal-events.js'
import { claimFirstAttempt } from '../../../db/events/webhooks/claim-first-attempt.js'
import type { EndpointRow } from '../../../db/events/webhooks/endpoint-row.js'
import { takeSlot } from '../../../db/events/webhooks/take-slot.js'
import { updateEndpoint } from '../../../db/events/webhooks/update-endpoint.js'
import { newId } from '../../../db/new-id.js'
import { createTestEndpoint } from '../../stage/create-test-endpoint.js'
import { runReplay } from '../../stage/run-replay.js'
import { MASTER_KEY } from '../../stage/test-api.js'
import { createWebhookAttempts, type WebhookAttempts } from '../../stage/webhook-attempts.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js'

const SECOND_MS = 1_000

let database: TestDatabase
let receiver: WebhookReceiver
let workers: [WebhookAttempts, WebhookAttempts]
beforeAll(async () => {
  database = await freshDatabase()
  workers = [createWebhookAttempts(database.sql), createWebhookAttempts(database.sql)]
})
afterAll(async () => {
  await Promise.all((workers ?? []).map((each) => each.close()))
  await database?.drop()
})
beforeEach(async () => {
  receiver = await startWebhookReceiver()
})
afterEach(() => receiver.close())

/** Creates an endpoint with a limit, and deliveries to it. */
async function limited(maxRate: number, count: number) {
  const { sql } = database
  const merchantId = newId('mer')
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'M')`
  const endpoint = await createTestEndpoint(sql, {
    merchantId,
    url: receiver.url,
    masterKey: MASTER_KEY,
    maxRate,
  })
  const events = Array.from({ length: count }, () => ({
    merchantId,
    type: 'signer.online' as const,
    subject: newId('dep'),
    data: {},
  }))
  const ids = await sql.begin((tx) => appendEvents(tx, events))
  while ((await sealEvents(sql)) > 0) {}
  return { merchantId, endpoint, deliveries: ids.map((id) => `whd_${id.slice(4)}_${endpoint.id.slice(4)}`) }
}

/** Makes the attempt of a delivery as its workflow does: it sleeps and comes back while the attempt is postponed. */
async function deliver({ dependencies }: WebhookAttempts, deliveryId: string): Promise<void> {
  const run = { signal: new AbortController().signal, heartbeat() {} }
  for (;;) {
    const outcome = await attemptDelivery(dependencies, { deliveryId, elapsedMs: 0, lost: [] }, run)
    if (outcome.kind !== 'postponed') return
    await sleep(outcome.delayMs)
  }
}

/** Returns the reserved time and the time of the last attempt of each delivery, in the order of the first. */
async function slotsOf(endpoint: EndpointRow) {
  const rows = await database.sql<{ slot: number; at: number | null }[]>`
    SELECT extract(epoch FROM slot_at)::float8 * 1000 AS slot,
           (SELECT extract(epoch FROM max(at))::float8 * 1000 FROM webhook_attempts WHERE delivery_id = id) AS at
    FROM webhook_deliveries WHERE endpoint_id = ${endpoint.id} AND slot_at IS NOT NULL ORDER BY slot_at`
  return [...rows]
}

/** Returns how many of the times the fullest second has. */
const fullestSecond = (times: readonly number[]): number =>
  Math.max(...times.map((from) => times.filter((each) => each >= from && each < from + SECOND_MS).length))

describe('attempts of two workers at an endpoint with a limit', () => {
  test('are made once each, at a time of their own, of which no second has more than the limit', async () => {
    const { endpoint, deliveries } = await limited(5, 14)
    await Promise.all(
      deliveries.map((each, index) => deliver(index % 2 === 0 ? workers[0] : workers[1], each)),
    )
    expect(receiver.received.map((each) => each.headers['webhook-id']).sort()).toEqual(
      deliveries.map((each) => `evt_${each.split('_')[1]}`).sort(),
    )
    const slots = await slotsOf(endpoint)
    expect(slots).toHaveLength(14)
    expect(fullestSecond(slots.map(({ slot }) => slot))).toBeLessThanOrEqual(5)
    for (const { slot, at } of slots) expect(at).toBeGreaterThanOrEqual(Math.floor(slot) - 2)
  })

  test('keep to it in a replay', async () => {
    const { endpoint, deliveries } = await limited(4, 6)
    await Promise.all(deliveries.map((each) => deliver(workers[0], each)))
    await runReplay(database.sql, endpoint)
    await Promise.all(deliveries.map((each) => deliver(workers[1], each)))
    expect(receiver.received).toHaveLength(12)
    const slots = await slotsOf(endpoint)
    expect(fullestSecond(slots.map(({ slot }) => slot))).toBeLessThanOrEqual(4)
    for (const { slot, at } of slots) expect(at).toBeGreaterThanOrEqual(Math.floor(slot) - 2)
  })

  test('keep to it while the circuit sends what waits', async () => {
    const { sql } = database
    const { endpoint, deliveries } = await limited(4, 6)
    await sql`INSERT INTO webhook_circuits (endpoint_id, state) VALUES (${endpoint.id}, 'half_open')`
    const activities = createWebhookCircuitActivities({
      ...workers[0].dependencies,
      signal: async () => true,
      log: { warn() {} },
    })
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') })
    expect(await environment.run(() => activities.drainEndpoint(endpoint.id, false))).toEqual({
      kind: 'closed',
    })
    expect(receiver.received).toHaveLength(deliveries.length)
    const slots = await slotsOf(endpoint)
    expect(fullestSecond(slots.map(({ slot }) => slot))).toBeLessThanOrEqual(4)
    for (const { slot, at } of slots) expect(at).toBeGreaterThanOrEqual(Math.floor(slot) - 2)
  })

  test('are made by activities from the first on, because they may have to wait', async () => {
    const { deliveries } = await limited(5, 1)
    expect(await claimFirstAttempt(database.sql, deliveries[0] ?? '')).toMatchObject({ claimed: false })
  })
})

describe('the times of an endpoint with a limit', () => {
  test('lie side by side without a gap, however many ask at once', async () => {
    const { endpoint, deliveries } = await limited(2, 20)
    await Promise.all(deliveries.map((each) => takeSlot(database.sql, each)))
    const slots = (await slotsOf(endpoint)).map(({ slot }) => slot)
    const gaps = slots.slice(1).map((slot, index) => Math.round(slot - (slots[index] ?? 0)))
    expect(new Set(gaps)).toEqual(new Set([525]))
  })

  test('are kept by a delivery whose worker dies before it, and lost when they have passed', async () => {
    const { sql } = database
    const { endpoint, deliveries } = await limited(1, 3)
    for (const each of deliveries) await takeSlot(sql, each)
    const before = await slotsOf(endpoint)
    expect(await takeSlot(sql, deliveries[2] ?? '')).toBeGreaterThan(1_000)
    expect(await slotsOf(endpoint)).toEqual(before)
    await sql`UPDATE webhook_deliveries SET slot_at = slot_at - interval '1 minute' WHERE id = ${deliveries[0] ?? ''}`
    await takeSlot(sql, deliveries[0] ?? '')
    expect((await slotsOf(endpoint)).at(-1)?.slot).toBeGreaterThan(before.at(-1)?.slot ?? 0)
  })

  test('are given back when the limit changes, and deliveries that sleep are started again', async () => {
    const { sql } = database
    const { merchantId, endpoint, deliveries } = await limited(1, 5)
    await sql`UPDATE webhook_deliveries SET workflow_started_at = now() WHERE endpoint_id = ${endpoint.id}`
    for (const each of deliveries) await takeSlot(sql, each)
    await sql.begin((tx) => updateEndpoint(tx, merchantId, endpoint.id, { maxRate: 1_000 }))
    const rows = await sql<{ slot_at: Date | null; workflow_started_at: Date | null }[]>`
      SELECT slot_at, workflow_started_at FROM webhook_deliveries WHERE endpoint_id = ${endpoint.id} ORDER BY id`
    const released = rows.map((row) => [row.slot_at === null, row.workflow_started_at === null])
    // The first one is about to be sent.
    expect([released[0], ...released.slice(3)]).toEqual([
      [false, false],
      [true, true],
      [true, true],
    ])
    expect(await takeSlot(sql, deliveries[4] ?? '')).toBeLessThan(100)
    await sql.begin((tx) => updateEndpoint(tx, merchantId, endpoint.id, { maxRate: null }))
    expect(await takeSlot(sql, deliveries[3] ?? '')).toBe(0)
    expect(await sql`SELECT FROM webhook_rates WHERE endpoint_id = ${endpoint.id}`).toHaveLength(0)
  })
})
