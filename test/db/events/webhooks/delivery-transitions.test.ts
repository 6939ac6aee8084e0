/** Takes each step on a delivery of each status, and compares what moves with the table of transitions. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { deleteEndpoint } from '../../../../db/events/webhooks/delete-endpoint.js'
import { findEndpoint } from '../../../../db/events/webhooks/find-endpoint.js'
import { moveEndpoint } from '../../../../db/events/webhooks/move-endpoint.js'
import { recordAttempt } from '../../../../db/events/webhooks/record-attempt.js'
import { redeliver } from '../../../../db/events/webhooks/redeliver.js'
import { resumeStalledDeliveries } from '../../../../db/events/webhooks/resume-stalled-deliveries.js'
import { cancelDelivery, holdDelivery } from '../../../../db/events/webhooks/set-delivery-status.js'
import { updateEndpoint } from '../../../../db/events/webhooks/update-endpoint.js'
import {
  DELIVERY_STATUSES,
  DELIVERY_TRANSITIONS,
  type DeliveryStatus,
} from '../../../../domain/events/delivery-status.js'
import { changeEndpoint } from '../../../stage/change-endpoint.js'
import { runReplay } from '../../../stage/run-replay.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

const ENDPOINT = 'whe_1'

let database: TestDatabase
let delivery = ''

beforeAll(async () => {
  database = await freshDatabase()
  const { sql } = database
  await sql`INSERT INTO merchants (id, name) VALUES ('m', 'M')`
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed)
    VALUES (${ENDPOINT}, 'm', 'https://shop.example/hook', '')`
  await sql.begin((tx) =>
    appendEvent(tx, { merchantId: 'm', type: 'deposit.status_changed', subject: 'dep_1', data: {} }),
  )
  await sql`UPDATE events SET sequence = 1`
  const [row] = await sql<{ id: string }[]>`SELECT id FROM webhook_deliveries`
  delivery = row?.id ?? ''
})
afterAll(() => database?.drop())

/** Statuses that an endpoint can have while its delivery has a status: a cancelled one has no endpoint any more. */
const endpointsOf = (status: DeliveryStatus) =>
  status === 'cancelled' ? (['deleted'] as const) : (['active', 'paused', 'disabled'] as const)

const attempt = (error: string | null, last: boolean) => () =>
  recordAttempt(database.sql, {
    deliveryId: delivery,
    at: new Date(),
    statusCode: error === null ? 200 : 500,
    durationMs: 1,
    error,
    failureClass: null,
    answer: null,
    nextAttemptAt: last ? null : new Date(Date.now() + 60_000),
    restarts: 0,
    lost: [],
  })

const STEPS: Readonly<Record<string, () => Promise<unknown>>> = {
  'an attempt succeeds': attempt(null, false),
  'an attempt fails': attempt('HTTP 500', false),
  'the last attempt fails': attempt('HTTP 500', true),
  'its workflow holds it': () => holdDelivery(database.sql, delivery),
  'its workflow cancels it': () => cancelDelivery(database.sql, delivery),
  'its endpoint is disabled': () =>
    changeEndpoint(database.sql, ENDPOINT, (tx) => updateEndpoint(tx, 'm', ENDPOINT, { status: 'disabled' })),
  'its endpoint is paused': () =>
    changeEndpoint(database.sql, ENDPOINT, (tx) => moveEndpoint(tx, 'm', ENDPOINT, 'paused')),
  'its endpoint is resumed': () =>
    changeEndpoint(database.sql, ENDPOINT, (tx) => moveEndpoint(tx, 'm', ENDPOINT, 'active')),
  'its endpoint is enabled': () =>
    changeEndpoint(database.sql, ENDPOINT, (tx) => updateEndpoint(tx, 'm', ENDPOINT, { status: 'active' })),
  'its endpoint is deleted': () =>
    changeEndpoint(database.sql, ENDPOINT, (tx) => deleteEndpoint(tx, 'm', ENDPOINT)),
  'it is redelivered': () => database.sql.begin((tx) => redeliver(tx, 'm', delivery)),
  'its event is replayed': async () => {
    const endpoint = await findEndpoint(database.sql, 'm', ENDPOINT)
    if (endpoint) await runReplay(database.sql, endpoint)
  },
  'the sweeper resumes what stalled': () => resumeStalledDeliveries(database.sql, 0, 0),
}

async function statusAfter(
  status: DeliveryStatus,
  endpoint: 'active' | 'paused' | 'disabled' | 'deleted',
  step: () => Promise<unknown>,
): Promise<DeliveryStatus> {
  const { sql } = database
  await sql`UPDATE webhook_endpoints SET status = ${endpoint}`
  await sql`
    UPDATE webhook_deliveries
    SET status = ${status}, restarts = 0, next_attempt_at = NULL, workflow_started_at = now() - interval '1 minute'`
  await step().catch((error: unknown) => expect(error).toMatchObject({ code: 'INVALID_STATE' }))
  const [row] = await sql<
    { status: DeliveryStatus }[]
  >`SELECT status FROM webhook_deliveries WHERE id = ${delivery}`
  if (!row) throw new Error('The delivery is gone')
  return row.status
}

it('moves deliveries along each transition of the table, and along no other', async () => {
  const moves = new Set<string>()
  for (const status of DELIVERY_STATUSES) {
    for (const endpoint of endpointsOf(status)) {
      for (const step of Object.values(STEPS)) {
        const after = await statusAfter(status, endpoint, step)
        if (after !== status) moves.add(`${status} → ${after}`)
      }
    }
  }
  const table = DELIVERY_STATUSES.flatMap((from) => DELIVERY_TRANSITIONS[from].map((to) => `${from} → ${to}`))
  expect([...moves].sort()).toEqual(table.sort())
})
