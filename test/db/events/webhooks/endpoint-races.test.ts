/** Changes, attempts, replays and events of a merchant's endpoints at the same time: none of them waits for another without end. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendAudit } from '../../../../db/audit/append-audit.js'
import type { Transaction } from '../../../../db/connect.js'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { sealEvents } from '../../../../db/events/log/seal-events.js'
import { advanceReplay } from '../../../../db/events/replays/advance-replay.js'
import { createReplay } from '../../../../db/events/replays/create-replay.js'
import { exhaustDelivery } from '../../../../db/events/webhooks/exhaust-delivery.js'
import { findEndpoint } from '../../../../db/events/webhooks/find-endpoint.js'
import { type LoadedAttempt, loadAttempt } from '../../../../db/events/webhooks/load-attempt.js'
import { moveEndpoint } from '../../../../db/events/webhooks/move-endpoint.js'
import { type AttemptRecord, recordAttempt } from '../../../../db/events/webhooks/record-attempt.js'
import { recordGone } from '../../../../db/events/webhooks/record-gone.js'
import { redeliver } from '../../../../db/events/webhooks/redeliver.js'
import { rotateSecret } from '../../../../db/events/webhooks/rotate-secret.js'
import { updateEndpoint } from '../../../../db/events/webhooks/update-endpoint.js'
import { newId } from '../../../../db/new-id.js'
import { KeyturnError } from '../../../../domain/errors.js'
import { changeEndpoint } from '../../../stage/change-endpoint.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

const ENDPOINTS = 3
const STEPS = 400
const AT_ONCE = 16

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase({ max: AT_ONCE })
})
afterAll(() => database?.drop())

test('no two steps of a merchant deadlock', async () => {
  const { sql } = database
  const merchantId = newId('mer')
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'M')`
  const ids = Array.from({ length: ENDPOINTS }, () => newId('whe'))
  for (const id of ids)
    await sql`
      INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed)
      VALUES (${id}, ${merchantId}, 'https://shop.example/', '')`
  const pick = <T>(some: readonly [T, ...T[]]): T => some[Math.floor(Math.random() * some.length)] ?? some[0]
  const endpoint = () => pick(ids as [string, ...string[]])
  const replays: string[] = []

  const change = (make: (tx: Transaction, id: string) => Promise<unknown>) => {
    const id = endpoint()
    return changeEndpoint(sql, id, (tx) => make(tx, id))
  }
  const event = (tx: Transaction) =>
    appendEvent(tx, { merchantId, type: 'signer.online', subject: newId('sig'), data: {} })
  const attempt = async (
    status: number,
    store: (delivery: LoadedAttempt, record: AttemptRecord) => Promise<unknown>,
  ) => {
    const [row] = await sql<{ id: string }[]>`
      SELECT id FROM webhook_deliveries WHERE merchant_id = ${merchantId} ORDER BY random() LIMIT 1`
    const delivery = row && (await loadAttempt(sql, row.id))
    if (!row || !delivery) return
    await store(delivery, {
      deliveryId: row.id,
      at: new Date(),
      statusCode: status,
      durationMs: 1,
      error: status < 300 ? null : `HTTP ${status}`,
      failureClass: status < 300 ? null : 'endpoint_error',
      answer: null,
      nextAttemptAt: new Date(Date.now() + 1_000),
      restarts: delivery.restarts,
      lost: [],
      circuit: { spanMs: 60_000, intervalMs: 60_000 },
    })
  }
  const steps: readonly [() => Promise<unknown>, ...(() => Promise<unknown>)[]] = [
    () =>
      sql.begin(async (tx) => {
        await event(tx)
        await appendAudit(tx, { merchantId, actor: 'system:test', action: 'test.done', subject: 'x' })
        await event(tx)
      }),
    () => sealEvents(sql),
    () => change((tx, id) => updateEndpoint(tx, merchantId, id, { status: 'disabled' })),
    () => change((tx, id) => updateEndpoint(tx, merchantId, id, { status: 'active' })),
    () => change((tx, id) => updateEndpoint(tx, merchantId, id, { maxRate: pick([null, 5, 50]) })),
    () => change((tx, id) => moveEndpoint(tx, merchantId, id, 'paused')),
    () => change((tx, id) => moveEndpoint(tx, merchantId, id, 'active')),
    () =>
      sql.begin((tx) =>
        rotateSecret(tx, { merchantId, id: endpoint(), secretSealed: Buffer.from('x'), graceSeconds: 10 }),
      ),
    () => attempt(200, (_, record) => recordAttempt(sql, record)),
    () => attempt(500, (_, record) => recordAttempt(sql, record)),
    () => attempt(500, (delivery, record) => exhaustDelivery(sql, delivery, record)),
    () => attempt(410, (delivery, record) => recordGone(sql, delivery, record)),
    () => attempt(200, (_, { deliveryId }) => sql.begin((tx) => redeliver(tx, merchantId, deliveryId))),
    () =>
      sql.begin(async (tx) => {
        const found = await findEndpoint(tx, merchantId, endpoint())
        if (found?.status !== 'active') return
        const window = { since: new Date(0), until: null, eventTypes: null, dryRun: false, rate: null }
        replays.push(
          (await createReplay(tx, found, { mode: pick(['all', 'failed', 'missing']), ...window })).replay.id,
        )
      }),
    async () => {
      const [first, ...others] = replays
      if (first !== undefined) await advanceReplay(sql, pick([first, ...others]), 16, 16)
    },
  ]
  let left = STEPS
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) {
        await pick(steps)().catch((error: unknown) => {
          // A disabled endpoint cannot be paused, for example.
          if (!(error instanceof KeyturnError)) throw error
        })
      }
    }),
  )
  const [row] = await sql<
    { events: number }[]
  >`SELECT count(*)::int AS events FROM events WHERE merchant_id = ${merchantId}`
  expect(row?.events).toBeGreaterThan(STEPS / 20)
}, 60_000)
