/** Endpoints with very many deliveries: these follow a pause, a resumption or a deletion in short transactions. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { inTransaction } from '../../../../db/connect.js'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { appendEvents } from '../../../../db/events/log/append-events.js'
import { sealEvents } from '../../../../db/events/log/seal-events.js'
import { unstartedDeliveries } from '../../../../db/events/log/unstarted-deliveries.js'
import { deleteEndpoint } from '../../../../db/events/webhooks/delete-endpoint.js'
import { exhaustDelivery } from '../../../../db/events/webhooks/exhaust-delivery.js'
import { loadAttempt } from '../../../../db/events/webhooks/load-attempt.js'
import { moveDeliveries } from '../../../../db/events/webhooks/move-deliveries.js'
import { moveEndpoint } from '../../../../db/events/webhooks/move-endpoint.js'
import { resumeStalledDeliveries } from '../../../../db/events/webhooks/resume-stalled-deliveries.js'
import { newId } from '../../../../db/new-id.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

const MANY = 1_200
const HOUR_MS = 3_600_000

let database: TestDatabase
let merchantId = ''
let id = ''
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.drop())
beforeEach(async () => {
  const { sql } = database
  merchantId = newId('mer')
  id = newId('whe')
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'M')`
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed)
    VALUES (${id}, ${merchantId}, 'https://shop.example/', '')`
})

const deliveryOf = (event: string) => `whd_${event.slice(4)}_${id.slice(4)}`

/** Records events, each of an object of its own. @returns Their deliveries. */
async function events(count: number): Promise<string[]> {
  const made = await database.sql.begin((tx) =>
    appendEvents(
      tx,
      Array.from({ length: count }, () => ({
        merchantId,
        type: 'signer.online' as const,
        subject: newId('dep'),
        data: {},
      })),
    ),
  )
  while ((await sealEvents(database.sql)) > 0) {}
  return made.map(deliveryOf)
}

async function counts(): Promise<Record<string, number>> {
  const rows = await database.sql<{ status: string; count: number }[]>`
    SELECT status, count(*)::int FROM webhook_deliveries WHERE endpoint_id = ${id} GROUP BY status`
  return Object.fromEntries(rows.map((row) => [row.status, row.count]))
}

/** Moves the endpoint. @returns How many deliveries the transaction wrote. */
const move = (status: 'paused' | 'active' | 'deleted') =>
  inTransaction(database.sql, async (tx) => {
    const written = async () => {
      const [row] = await tx<{ written: number }[]>`
        SELECT n_tup_upd::int AS written FROM pg_stat_xact_user_tables WHERE relname = 'webhook_deliveries'`
      return row?.written ?? 0
    }
    const before = await written()
    await (status === 'deleted'
      ? deleteEndpoint(tx, merchantId, id)
      : moveEndpoint(tx, merchantId, id, status))
    return (await written()) - before
  })
const sweep = () => resumeStalledDeliveries(database.sql, HOUR_MS, 24 * HOUR_MS)

test('a pause and a resumption write no delivery under the lock of the endpoint, and the sweeper moves what is left', async () => {
  const deliveries = await events(MANY)
  expect(await move('paused')).toBe(0)
  // The process dies after its first batch.
  expect(await moveDeliveries(database.sql, id, 1)).toEqual({ count: 500, waiting: [] })
  expect(await counts()).toEqual({ held: 500, pending: MANY - 500 })
  const started = async () =>
    (await unstartedDeliveries(database.sql, 'sendable', 2_000)).flatMap((each) =>
      each.endpointId === id ? [each.id] : [],
    )
  expect(await started()).toEqual([])
  expect(await sweep()).toBe(MANY - 500)
  expect(await counts()).toEqual({ held: MANY })

  expect(await move('active')).toBe(0)
  const [fresh = ''] = await events(1)
  // What is new waits for what is held, also before the first batch of that is released.
  expect(await started()).toEqual([])
  await moveDeliveries(database.sql, id, 1)
  expect(await counts()).toEqual({ held: MANY - 500, pending: 501 })
  expect(await started()).toEqual([deliveries[0]])
  expect(await sweep()).toBe(MANY - 500)
  const turns = await database.sql<{ id: string }[]>`
    SELECT id FROM webhook_deliveries WHERE endpoint_id = ${id} AND turn IS NOT NULL ORDER BY turn`
  expect(turns.map((row) => row.id)).toEqual(deliveries)
  expect(await counts()).toEqual({ pending: MANY + 1 })
  expect(fresh).not.toBe('')
  expect(await sweep()).toBe(0)
}, 60_000)

test('a deletion writes no delivery under the lock of the endpoint, and the sweeper cancels what is left', async () => {
  await events(MANY)
  await database.sql`
    UPDATE webhook_deliveries SET status = 'held' WHERE id IN (
      SELECT id FROM webhook_deliveries WHERE endpoint_id = ${id} LIMIT 300)`
  expect(await move('deleted')).toBe(0)
  expect((await moveDeliveries(database.sql, id, 1)).count).toBe(500)
  expect(await sweep()).toBe(MANY - 500)
  expect(await counts()).toEqual({ cancelled: MANY })
}, 60_000)

test('an event is appended while a batch of deliveries is moved', async () => {
  const { sql } = database
  await events(1)
  await sql.begin(async (tx) => {
    await tx`SELECT status FROM webhook_endpoints WHERE id = ${id} FOR SHARE`
    await tx`UPDATE webhook_deliveries SET status = 'held' WHERE endpoint_id = ${id}`
    await sql.begin(async (other) => {
      await other`SET LOCAL lock_timeout = '1s'`
      await appendEvent(other, { merchantId, type: 'signer.online', subject: newId('sig'), data: {} })
    })
  })
  expect(await counts()).toEqual({ held: 1, pending: 1 })
})

test('a delivery that is exhausted and a change of another endpoint do not wait for each other', async () => {
  const { sql } = database
  const other = newId('whe')
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed)
    VALUES (${other}, ${merchantId}, 'https://other.example/', '')`
  const [delivery = ''] = await events(1)
  await sql`INSERT INTO webhook_circuits (endpoint_id, state) VALUES (${id}, 'closed')`
  const loaded = await loadAttempt(sql, delivery)
  if (!loaded) throw new Error('No such delivery')
  let exhausted: Promise<unknown> | undefined
  await sql.begin(async (tx) => {
    // The exception goes to this endpoint, so the delivery waits for it. It must hold no circuit by then.
    await tx`SELECT 1 FROM webhook_endpoints WHERE id = ${other} FOR UPDATE`
    exhausted = exhaustDelivery(sql, loaded, {
      deliveryId: delivery,
      at: new Date(),
      statusCode: 500,
      durationMs: 1,
      error: 'HTTP 500',
      failureClass: 'endpoint_error',
      answer: null,
      nextAttemptAt: null,
      restarts: loaded.restarts,
      lost: [],
      circuit: { spanMs: 60_000, intervalMs: 60_000 },
    })
    exhausted.catch(() => {})
    await expect
      .poll(async () => (await sql`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`).length)
      .toBeGreaterThan(0)
    await tx`SELECT 1 FROM webhook_circuits WHERE endpoint_id = ${id} FOR UPDATE`
  })
  expect(await exhausted).toMatchObject({ status: 'exhausted', written: true })
})
