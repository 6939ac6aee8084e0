/**
 * Kills the worker of a webhook's delivery at every commit: the endpoint receives the webhook, and the log
 * holds every attempt.
 */

import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AttemptOutcome } from '../../../activities/events/attempt.js'
import { createFirstAttempts } from '../../../activities/events/first-attempts.js'
import { createWebhookDeliveryActivities } from '../../../activities/events/webhook-delivery.js'
import { appendEvent } from '../../../db/events/log/append-event.js'
import { sealEvents } from '../../../db/events/log/seal-events.js'
import { getDelivery } from '../../../db/events/webhooks/list-deliveries.js'
import { newId } from '../../../db/new-id.js'
import { createSender } from '../../../egress/create-sender.js'
import { createEndpointGate } from '../../../egress/endpoint-gate.js'
import { createTargetPolicy } from '../../../egress/target-policy.js'
import { createTestEndpoint } from '../../stage/create-test-endpoint.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js'
import { atEveryCommit } from './at-every-commit.js'

const MASTER_KEY = '33'.repeat(32)
const sender = createSender({
  policy: createTargetPolicy({ allowCidrs: ['127.0.0.1/32'], allowHttp: true }),
  timeoutMs: 1_000,
})
let database: TestDatabase
let receiver: WebhookReceiver

beforeAll(async () => {
  ;[database, receiver] = await Promise.all([freshDatabase(), startWebhookReceiver()])
})
afterAll(async () => {
  await Promise.all([sender.close(), receiver?.close()])
  await database?.drop()
})

test.each([
  { where: "within the workflow's first task", local: true },
  { where: 'as a regular activity', local: false },
])(
  'delivers a webhook $where, with every attempt in the log, at whichever commit its worker is killed',
  async ({ local }) => {
    const { sql } = database
    /** Numbers of requests that the endpoint got for each event whose first worker was killed. */
    const times: number[] = []
    const commits = await atEveryCommit(database, {
      async prepare() {
        const merchantId = newId('mer')
        await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'Shop')`
        const endpoint = await createTestEndpoint(sql, {
          merchantId,
          url: receiver.url,
          masterKey: MASTER_KEY,
        })
        const eventId = await sql.begin((tx) =>
          appendEvent(tx, { merchantId, type: 'webhook.test', subject: 's', data: {} }),
        )
        await sealEvents(sql)
        const [delivery] = await sql<{ id: string }[]>`
        SELECT id FROM webhook_deliveries WHERE event_id = ${eventId} AND endpoint_id = ${endpoint.id}`
        return { merchantId, eventId, deliveryId: delivery?.id ?? '' }
      },
      async live(own, { deliveryId }, process) {
        const attempts = {
          sql: own,
          masterKeys: [MASTER_KEY],
          sender,
          gate: createEndpointGate({ maxDelayMs: 1_000 }),
          timeoutMs: 1_000,
          retryIntervalMs: 300_000,
          retryWindowMs: 86_400_000,
          startCircuit: async () => {},
        }
        const { beginWebhookDelivery, attemptWebhookDelivery } = createWebhookDeliveryActivities({
          ...attempts,
          firstAttempts: createFirstAttempts(attempts),
        })
        // The workflow passes the times of attempts without a result to the next attempt.
        const lost = process === 1 ? [] : ['2026-01-02T03:04:05.000Z']
        const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') })
        if (!local) return environment.run(attemptWebhookDelivery, { deliveryId, elapsedMs: 0, lost })
        // Temporal gives the task of a dead worker to another one, which begins again.
        const begun = await beginWebhookDelivery({ deliveryId, endpointId: 'whe_1', merchantId: 'mer_1' })
        if (begun.kind !== 'handed_over' || process === 1) return begun
        await sql`
        UPDATE webhook_deliveries SET first_attempt_at = first_attempt_at - interval '1 minute'
        WHERE id = ${deliveryId}`
        const input = { deliveryId, elapsedMs: 0, lost: [], first: true }
        const found: AttemptOutcome = await environment.run(attemptWebhookDelivery, input)
        if (found.kind !== 'lost') return found
        return new MockActivityEnvironment().run(attemptWebhookDelivery, {
          deliveryId,
          elapsedMs: 0,
          lost: [found.since],
        })
      },
      async facts({ merchantId, eventId, deliveryId }) {
        const delivery = await getDelivery(sql, merchantId, deliveryId)
        const got = receiver.received.filter((each) => each.headers['webhook-id'] === eventId)
        times.push(got.length)
        const codes = (delivery?.attempts ?? []).map((each) => each.status_code)
        return {
          status: delivery?.status,
          // The endpoint took the last attempt; no attempt before it has a result.
          taken: codes.at(-1),
          earlier: codes.slice(0, -1).filter((code) => code !== null),
          numbered: delivery?.attempts.every((each, index) => each.number === index + 1),
          bodies: new Set(got.map((each) => each.body.toString())).size,
        }
      },
    })
    expect(commits).toBeGreaterThan(0)
    // The endpoint got it once, or twice where the first result was lost; never not at all.
    expect(new Set(times)).toEqual(new Set([1, 2]))
  },
  120_000,
)
