/** Attempts of deliveries that were held: their turn, and what is left of their window. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { attemptDelivery } from '../../../activities/events/attempt-delivery.js'
import { appendEvent } from '../../../db/events/log/append-event.js'
import { markDeliveriesStarted } from '../../../db/events/log/mark-deliveries-started.js'
import { sealEvents } from '../../../db/events/log/seal-events.js'
import { moveEndpoint } from '../../../db/events/webhooks/move-endpoint.js'
import { newId } from '../../../db/new-id.js'
import { changeEndpoint } from '../../stage/change-endpoint.js'
import { createTestEndpoint } from '../../stage/create-test-endpoint.js'
import { MASTER_KEY } from '../../stage/test-api.js'
import { createWebhookAttempts, type WebhookAttempts } from '../../stage/webhook-attempts.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js'

const HOUR_MS = 3_600_000

let database: TestDatabase
let worker: WebhookAttempts
let receiver: WebhookReceiver
beforeAll(async () => {
  database = await freshDatabase()
  worker = createWebhookAttempts(database.sql)
  receiver = await startWebhookReceiver()
  receiver.behave(answers(500))
})
afterAll(async () => {
  await receiver?.close()
  await worker?.close()
  await database?.drop()
})
beforeEach(() => {
  receiver.received.length = 0
})

/** Makes a delivery whose workflow has run for some hours, holds it, and releases it. */
async function released(hours: number) {
  const { sql } = database
  const merchantId = newId('mer')
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'M')`
  const endpoint = await createTestEndpoint(sql, { merchantId, url: receiver.url, masterKey: MASTER_KEY })
  const event = await sql.begin((tx) =>
    appendEvent(tx, { merchantId, type: 'signer.online', subject: newId('sig'), data: {} }),
  )
  while ((await sealEvents(sql)) > 0) {}
  const id = `whd_${event.slice(4)}_${endpoint.id.slice(4)}`
  const start = async () => {
    const [row] = await sql<{ restarts: number }[]>`SELECT restarts FROM webhook_deliveries WHERE id = ${id}`
    await markDeliveriesStarted(sql, [{ id, restarts: row?.restarts ?? 0 }])
  }
  await start()
  await sql`
    UPDATE webhook_deliveries SET window_started_at = window_started_at - ${hours} * interval '1 hour' WHERE id = ${id}`
  await changeEndpoint(sql, endpoint.id, (tx) => moveEndpoint(tx, merchantId, endpoint.id, 'paused'))
  await changeEndpoint(sql, endpoint.id, (tx) => moveEndpoint(tx, merchantId, endpoint.id, 'active'))
  const attempt = (elapsedHours: number, asked = false) =>
    attemptDelivery(
      worker.dependencies,
      { deliveryId: id, elapsedMs: elapsedHours * HOUR_MS, lost: [], asked },
      { signal: new AbortController().signal, heartbeat() {} },
    )
  return { start, attempt }
}

test('makes no attempt by its own timer before its turn has come', async () => {
  const { start, attempt } = await released(1)
  expect(await attempt(1)).toEqual({ kind: 'held' })
  expect(receiver.received).toHaveLength(0)
  await start()
  expect(await attempt(1)).toMatchObject({ kind: 'failed' })
  expect(receiver.received).toHaveLength(1)
})

test('makes an attempt that the sealer has requested, although the row does not say so yet', async () => {
  const { attempt } = await released(1)
  expect(await attempt(0, true)).toMatchObject({ kind: 'failed' })
})

test('has in a new run what was left of its window', async () => {
  const { start, attempt } = await released(23.5)
  await start()
  expect(await attempt(0)).toMatchObject({ kind: 'failed' })
  const late = await released(23.99)
  await late.start()
  expect(await late.attempt(0)).toMatchObject({ kind: 'exhausted' })
})

test('has the same left in a run that slept while it was held', async () => {
  const { start, attempt } = await released(2)
  await start()
  expect(await attempt(72)).toMatchObject({ kind: 'failed' })
})
