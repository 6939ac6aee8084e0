/** Sealers that started the same deliveries record it without waiting for each other. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { markDeliveriesStarted } from '../../../../db/events/log/mark-deliveries-started.js'
import { newId } from '../../../../db/new-id.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

const DELIVERIES = 400
const ROUNDS = 10

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.drop())

test('records the same deliveries in opposite orders at the same time without a deadlock', async () => {
  const { sql } = database
  const merchantId = newId('mer')
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'M')`
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed)
    VALUES (${newId('whe')}, ${merchantId}, 'https://shop.example/', '')`
  await sql.begin(async (tx) => {
    for (let made = 0; made < DELIVERIES; made += 1) {
      await appendEvent(tx, { merchantId, type: 'webhook.test', subject: newId('dep'), data: {} })
    }
  })
  const deliveries = await sql<{ id: string; restarts: number }[]>`
    SELECT id, restarts FROM webhook_deliveries ORDER BY id`
  expect(deliveries).toHaveLength(DELIVERIES)
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all([
      markDeliveriesStarted(sql, deliveries),
      markDeliveriesStarted(sql, [...deliveries].reverse()),
    ])
  }
  const [left] =
    await sql`SELECT count(*)::int AS count FROM webhook_deliveries WHERE workflow_started_at IS NULL`
  expect(left).toEqual({ count: 0 })
})

test('leaves a delivery that became pending again for its new run', async () => {
  const { sql } = database
  const [delivery] = await sql<{ id: string; restarts: number }[]>`
    UPDATE webhook_deliveries SET restarts = restarts + 1, workflow_started_at = NULL
    WHERE id = (SELECT min(id) FROM webhook_deliveries) RETURNING id, restarts`
  if (!delivery) throw new Error('There is no delivery')
  await markDeliveriesStarted(sql, [{ ...delivery, restarts: delivery.restarts - 1 }])
  const started = sql`SELECT workflow_started_at IS NOT NULL AS started FROM webhook_deliveries WHERE id = ${delivery.id}`
  expect(await started).toMatchObject([{ started: false }])
})
