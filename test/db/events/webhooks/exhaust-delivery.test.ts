/** Exhausted deliveries notify the other endpoints. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Sql } from '../../../../db/connect.js'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { createEndpoint } from '../../../../db/events/webhooks/create-endpoint.js'
import { exhaustDelivery } from '../../../../db/events/webhooks/exhaust-delivery.js'
import { loadAttempt } from '../../../../db/events/webhooks/load-attempt.js'
import { recordAttempt } from '../../../../db/events/webhooks/record-attempt.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

const MERCHANT = 'mer_1'
let database: TestDatabase
let sql: Sql
beforeAll(async () => {
  database = await freshDatabase()
  sql = database.sql
  await sql`INSERT INTO merchants (id, name) VALUES (${MERCHANT}, 'Test')`
})
afterAll(() => database?.drop())

const endpoint = (name: string) =>
  sql.begin((tx) =>
    createEndpoint(tx, {
      merchantId: MERCHANT,
      url: `https://${name}.example/`,
      eventTypes: null,
      format: 'keyturn',
      seal: () => Buffer.from('sealed'),
    }),
  )
const deliveriesOf = async (eventId: string) =>
  sql<{ id: string; endpoint_id: string }[]>`
    SELECT id, endpoint_id FROM webhook_deliveries WHERE event_id = ${eventId} ORDER BY endpoint_id`
const failure = (deliveryId: string, at: Date, nextAttemptAt: Date | null) => ({
  deliveryId,
  at,
  statusCode: 500,
  durationMs: 1,
  error: 'HTTP 500',
  failureClass: null,
  answer: null,
  nextAttemptAt,
  restarts: 0,
  lost: [],
})

async function exhaust(deliveryId: string): Promise<void> {
  const delivery = await loadAttempt(sql, deliveryId)
  if (!delivery) throw new Error('no delivery')
  await exhaustDelivery(sql, delivery, failure(deliveryId, new Date(), null))
}

test('notifies a live endpoint of each dead one, and no dead endpoint of another', async () => {
  const dead = await Promise.all(['a', 'b', 'c'].map(endpoint))
  const alive = await endpoint('alive')
  const event = await sql.begin((tx) =>
    appendEvent(tx, { merchantId: MERCHANT, type: 'webhook.test', subject: 'x', data: {} }),
  )
  const deliveries = await deliveriesOf(event)
  expect(deliveries).toHaveLength(4)
  for (const { id, endpoint_id } of deliveries) {
    if (endpoint_id === alive.id) {
      await recordAttempt(sql, { ...failure(id, new Date(), null), statusCode: 200, error: null })
    } else {
      await recordAttempt(sql, failure(id, new Date(Date.now() - 60_000), new Date()))
    }
  }
  for (const { id, endpoint_id } of deliveries) {
    if (dead.some((each) => each.id === endpoint_id)) await exhaust(id)
  }
  const raised = await sql<{ id: string }[]>`SELECT id FROM events WHERE type = 'exception.raised'`
  expect(raised).toHaveLength(dead.length)
  for (const { id } of raised) {
    expect((await deliveriesOf(id)).map((each) => each.endpoint_id)).toEqual([alive.id])
  }

  // An exception that no endpoint accepts raises no further one, or they would never end.
  const [first] = await deliveriesOf(raised[0]?.id ?? '')
  await exhaust(first?.id ?? '')
  expect(await sql`SELECT FROM events WHERE type = 'exception.raised'`).toHaveLength(dead.length)
})

test('notifies an endpoint that has no attempt yet', async () => {
  const event = await sql.begin((tx) =>
    appendEvent(tx, { merchantId: MERCHANT, type: 'webhook.test', subject: 'y', data: {} }),
  )
  const [first, ...others] = await deliveriesOf(event)
  await exhaust(first?.id ?? '')
  const [raised] = await sql<{ id: string }[]>`
    SELECT id FROM events WHERE type = 'exception.raised' AND subject = ${first?.id ?? ''}`
  expect((await deliveriesOf(raised?.id ?? '')).map((each) => each.endpoint_id)).toEqual(
    others.map((each) => each.endpoint_id),
  )
})
