/** An endpoint that hangs takes no slot from others. */

import { expect, test } from 'vitest'
import { appendEvents } from '../../db/events/log/append-events.js'
import { startWebhookStage } from '../stage/webhook-stage.js'
import { startWebhookReceiver } from '../support/webhook-receiver.js'

/** Most attempts that one endpoint may have under way. */
const MOST_IN_FLIGHT = 64
/** Deliveries to the endpoint that hangs: many more than it may have under way. */
const WAITING = 150

test('delays no other endpoint while one hangs, however many deliveries wait for it', async () => {
  // The time-out is longer than the test, so no attempt ends while it runs.
  const stage = await startWebhookStage({ timeoutMs: 90_000 })
  const { platform } = stage
  const dead = await startWebhookReceiver()
  dead.behave(() => {})
  const live = await startWebhookReceiver()
  const hanging = await platform.endpoint(dead.url, { eventTypes: ['signer.offline'] })
  const healthy = await platform.endpoint(live.url, { eventTypes: ['signer.online'] })
  await platform.sql.begin((tx) =>
    appendEvents(
      tx,
      Array.from({ length: WAITING }, (_, i) => ({
        merchantId: platform.merchantId,
        type: 'signer.offline' as const,
        subject: `sig_${i}`,
        data: {},
      })),
    ),
  )
  await platform.seal()
  await dead.count(MOST_IN_FLIGHT)

  for (let i = 0; i < 5; i += 1) {
    const event = await platform.happen({ type: 'signer.online' })
    expect(await platform.handle(event, healthy).result()).toBe('delivered')
  }
  expect(live.received).toHaveLength(5)
  expect(dead.received).toHaveLength(MOST_IN_FLIGHT)
  const [open] = await platform.sql<{ attempts: bigint; pending: bigint }[]>`
    SELECT sum(attempts) AS attempts, count(*) FILTER (WHERE status = 'pending') AS pending
    FROM webhook_deliveries WHERE endpoint_id = ${hanging.id}`
  expect({ attempts: Number(open?.attempts), pending: Number(open?.pending) }).toEqual({
    attempts: 0,
    pending: WAITING,
  })

  // A worker that stops does not wait for them either.
  await stage.close()
  await dead.close()
  await live.close()
}, 120_000)
