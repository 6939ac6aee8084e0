/** Recording an attempt of a delivery wakes the sealer where one waits. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { recordAttempt } from '../../../../db/events/webhooks/record-attempt.js'
import { newId } from '../../../../db/new-id.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

let database: TestDatabase
/** Payloads of notifications, in their order. */
const heard: string[] = []
beforeAll(async () => {
  database = await freshDatabase()
  await database.sql`INSERT INTO merchants (id, name) VALUES ('m', 'M')`
  await database.sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed) VALUES ('whe_1', 'm', 'https://shop.example/hook', '')`
  await database.sql.listen('sealer', (payload) => {
    heard.push(payload)
  })
})
afterAll(() => database.drop())

/** Creates deliveries of this many events of one object. The first one is under way. */
async function deliveries(count: number): Promise<string[]> {
  const subject = newId('dep')
  await database.sql.begin(async (tx) => {
    for (let event = 0; event < count; event++)
      await appendEvent(tx, { merchantId: 'm', type: 'webhook.test', subject, data: {} })
  })
  const rows = await database.sql<{ id: string }[]>`
    SELECT delivery.id FROM webhook_deliveries delivery JOIN events event ON event.id = delivery.event_id
    WHERE event.subject = ${subject} ORDER BY event.position`
  const [first] = rows
  await database.sql`UPDATE webhook_deliveries SET workflow_started_at = now() WHERE id = ${first?.id ?? ''}`
  return rows.map(({ id }) => id)
}

/** Returns the notifications of a record. They arrive in the order of commits, so between two of our own. */
async function notificationsOf(deliveryId: string, at = new Date()): Promise<number> {
  const [before, after] = [newId('evt'), newId('evt')]
  const say = async (payload: string) => {
    await database.sql`SELECT pg_notify('sealer', ${payload})`
    await expect.poll(() => heard, { timeout: 10_000 }).toContain(payload)
  }
  await say(before)
  const record = {
    deliveryId,
    at,
    statusCode: 500,
    durationMs: 1,
    error: 'HTTP 500',
    failureClass: null,
    answer: null,
    restarts: 0,
    lost: [],
  }
  const nextAttemptAt = new Date(at.getTime() + 300_000)
  expect(await recordAttempt(database.sql, { ...record, nextAttemptAt })).toMatchObject({ written: true })
  await say(after)
  return heard.indexOf(after) - heard.indexOf(before) - 1
}

test('wakes the sealer for the next event of the object after a first attempt', async () => {
  const [first = ''] = await deliveries(2)
  expect(await notificationsOf(first)).toBe(1)
  // The first attempt passed the turn to the next delivery.
  expect(await notificationsOf(first, new Date(Date.now() + 300_000))).toBe(0)
})

test('wakes no sealer if no delivery waits', async () => {
  const [alone = ''] = await deliveries(1)
  expect(await notificationsOf(alone)).toBe(0)
})
