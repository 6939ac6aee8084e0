/** The workflow of a delivery sends, waits, retries, and redelivers. */

import { randomBytes } from 'node:crypto'
import { Worker } from '@temporalio/worker'
import { pino } from 'pino'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Transaction } from '../../db/connect.js'
import { appendEvent } from '../../db/events/log/append-event.js'
import { deleteEndpoint } from '../../db/events/webhooks/delete-endpoint.js'
import { moveDeliveries } from '../../db/events/webhooks/move-deliveries.js'
import { redeliver } from '../../db/events/webhooks/redeliver.js'
import { resumeStalledDeliveries } from '../../db/events/webhooks/resume-stalled-deliveries.js'
import { rotateSecret } from '../../db/events/webhooks/rotate-secret.js'
import { updateEndpoint } from '../../db/events/webhooks/update-endpoint.js'
import { newId } from '../../db/new-id.js'
import { formatWebhookSecret } from '../../domain/events/webhook-signature.js'
import { sealSecret } from '../../vault/seal-secret.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { startSealer } from '../../workers/sealer.js'
import { changeEndpoint } from '../stage/change-endpoint.js'
import { storeHistory } from '../stage/histories.js'
import { runReplay } from '../stage/run-replay.js'
import type { WebhookPlatform } from '../stage/webhook-platform.js'
import { startWebhookStage, type WebhookStage } from '../stage/webhook-stage.js'
import type { TestDatabase } from '../support/database.js'
import type { TestTemporal } from '../support/temporal.js'
import {
  answers,
  type Behaviour,
  type ReceivedRequest,
  startWebhookReceiver,
  type WebhookReceiver,
} from '../support/webhook-receiver.js'

let stage: WebhookStage
let temporal: TestTemporal
let database: TestDatabase
let platform: WebhookPlatform
let receiver: WebhookReceiver

beforeAll(async () => {
  stage = await startWebhookStage()
  ;({ temporal, database, platform } = stage)
})
afterAll(async () => {
  await stage?.close()
})
beforeEach(async () => {
  receiver = await startWebhookReceiver()
})
afterEach(async () => {
  await database.sql`UPDATE webhook_endpoints SET status = 'deleted'`
  await receiver.close()
})

const verify = (request: ReceivedRequest | undefined, secret: string) =>
  new Webhook(secret).verify(request?.body.toString('utf8') ?? '', request?.headers as Record<string, string>)
const until = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 20_000, interval: 25 })

describe('two events of one subject', () => {
  async function append(tx: Transaction): Promise<[string, string]> {
    const subject = newId('dep')
    const event = {
      merchantId: platform.merchantId,
      type: 'deposit.status_changed',
      subject,
      data: {},
    } as const
    return [await appendEvent(tx, event), await appendEvent(tx, event)]
  }
  const twoOfOne = (tx?: Transaction) => (tx ? append(tx) : database.sql.begin(append))
  const order = () => receiver.received.map((each) => each.headers['webhook-id'])
  const slowly =
    (behaviour: Behaviour): Behaviour =>
    (response, request) =>
      setTimeout(() => behaviour(response, request), 300)
  let sealer: Awaited<ReturnType<typeof startSealer>>
  beforeEach(async () => {
    const log = pino({ level: 'silent' })
    sealer = await startSealer({ sql: database.sql, workflowClient: () => temporal.client.workflow, log })
  })
  afterEach(() => sealer.stop())

  test.each([
    { behaviour: answers(204), attempted: 'taken' },
    { behaviour: answers(500), attempted: 'refused' },
  ])('sends the later one after the earlier one was $attempted', async ({ behaviour }) => {
    receiver.behave(slowly(behaviour))
    const endpoint = await platform.endpoint(receiver.url)
    const [first, second] = await twoOfOne()
    await receiver.count(1)
    expect(order()).toEqual([first])
    // The sealer has run and has not started the second.
    await platform.seal()
    const [row] = await platform.sql`
      SELECT workflow_started_at FROM webhook_deliveries WHERE id = ${platform.deliveryId(second, endpoint)}`
    expect(row).toEqual({ workflow_started_at: null })
    await receiver.count(2)
    expect(order()).toEqual([first, second])
  })

  test('delivers the later one soon although the first one does not run', async () => {
    const endpoint = await platform.endpoint(receiver.url)
    const [first, second] = await platform.sql.begin(async (tx) => {
      const pair = await twoOfOne(tx)
      await tx`
        UPDATE webhook_deliveries SET workflow_started_at = now(), created_at = now() - interval '16 seconds'
        WHERE event_id = ${pair[0]}`
      await tx`UPDATE webhook_deliveries SET created_at = now() - interval '16 seconds' WHERE event_id = ${pair[1]}`
      return pair
    })
    await receiver.count(1)
    expect(order()).toEqual([second])
    expect(await platform.delivery(first, endpoint)).toMatchObject({ status: 'pending', attempts: [] })
  })
})

describe('a delivery that the endpoint accepts', () => {
  test('sends one signed POST of the frozen bytes, in at most 7 history events, and replays', async () => {
    const endpoint = await platform.endpoint(`${receiver.url}/hook`)
    const event = await platform.happen()
    expect(await platform.handle(event, endpoint).result()).toBe('delivered')

    const [row] = await platform.sql<{ body: Buffer; sequence: bigint }[]>`
      SELECT body, sequence FROM events WHERE id = ${event}`
    expect(receiver.received).toHaveLength(1)
    expect(receiver.received[0]?.body).toEqual(row?.body)
    expect(receiver.received[0]?.headers['webhook-id']).toBe(event)
    expect(verify(receiver.received[0], endpoint.secret)).toMatchObject({
      id: event,
      event: 'deposit.status_changed',
      sequence: Number(row?.sequence),
      data: { note: 'Zoë 💶' },
    })
    expect(await platform.delivery(event, endpoint)).toMatchObject({
      status: 'delivered',
      next_attempt_at: null,
      attempts: [{ number: 1, status_code: 204, error: null }],
    })

    const history = await platform.handle(event, endpoint).fetchHistory()
    expect(history.events?.length).toBeLessThanOrEqual(7)
    await storeHistory('webhook-delivery.at-once', async () => history)
    await Worker.runReplayHistory({ workflowBundle: { codePath: await loadWorkflowBundle() } }, history)
  })

  test('sends layer1 bytes in the layer1 format, and the usual bytes of events that this format lacks', async () => {
    const endpoint = await platform.endpoint(receiver.url, { format: 'layer1' })
    const balance = {
      address: '0xabc',
      label: 'First',
      coin: 'eth',
      funds: [{ type: 'AVAILABLE', balance: '0.2', delta: '0.2' }],
    }
    const event = await platform.happen({ type: 'balance.updated', data: balance })
    await platform.handle(event, endpoint).result()
    expect(verify(receiver.received[0], endpoint.secret)).toMatchObject({
      event: 'layer1:digital:balance:updated',
      data: {
        reference: 'First',
        asset: 'ETH',
        funds: [{ type: 'AVAILABLE', balance: '0.20', delta: '0.20' }],
      },
    })
    const other = await platform.happen({ type: 'withdrawal.status_changed', data: { id: 'w' } })
    await platform.handle(other, endpoint).result()
    expect(verify(receiver.received[1], endpoint.secret)).toMatchObject({
      event: 'withdrawal.status_changed',
    })
  })

  test('signs with both secrets during a rotation, and with the new one alone afterwards', async () => {
    const endpoint = await platform.endpoint(receiver.url)
    const rotate = (graceSeconds: number) => {
      const secret = formatWebhookSecret(randomBytes(32))
      return platform.sql
        .begin((tx) =>
          rotateSecret(tx, {
            merchantId: platform.merchantId,
            id: endpoint.id,
            graceSeconds,
            secretSealed: sealSecret(platform.masterKey, Buffer.from(secret), {
              table: 'webhook_endpoints',
              key: [endpoint.id],
            }),
          }),
        )
        .then(() => secret)
    }
    const second = await rotate(3_600)
    await platform.handle(await platform.happen(), endpoint).result()
    verify(receiver.received[0], endpoint.secret)
    verify(receiver.received[0], second)

    const third = await rotate(0)
    await platform.handle(await platform.happen(), endpoint).result()
    verify(receiver.received[1], third)
    expect(() => verify(receiver.received[1], second)).toThrow()
  })
})

describe('a delivery that fails', () => {
  test('waits for its timer, says why, and sends at once on retryNow', async () => {
    receiver.behave(answers(500, 'broken'))
    const endpoint = await platform.endpoint(receiver.url)
    const event = await platform.happen()
    const handle = platform.handle(event, endpoint)
    await until(async () => expect((await platform.delivery(event, endpoint)).attempts).toHaveLength(1))
    const failed = await platform.delivery(event, endpoint)
    expect(failed).toMatchObject({
      status: 'pending',
      attempts: [{ number: 1, status_code: 500, error: 'HTTP 500' }],
    })
    expect(failed.next_attempt_at?.getTime()).toBe(Date.parse(failed.attempts[0]?.at ?? '') + 300_000)
    await until(async () =>
      expect(await handle.query<string>('__temporal_workflow_metadata')).toMatchObject({
        currentDetails: expect.stringMatching(/^HTTP 500\. Next attempt at 20/),
      }),
    )

    receiver.behave(answers(200))
    await handle.signal('retryNow')
    expect(await handle.result()).toBe('delivered')
    expect((await platform.delivery(event, endpoint)).attempts.map((each) => each.status_code)).toEqual([
      500, 200,
    ])
    expect(receiver.received[1]?.body).toEqual(receiver.received[0]?.body)
    expect(receiver.received[1]?.headers['webhook-id']).toBe(receiver.received[0]?.headers['webhook-id'])
  })

  test('records a redirect, a hang or an early close as such', async () => {
    const misbehaviours: [string, (response: import('node:http').ServerResponse) => void, RegExp][] = [
      [
        'redirect',
        (response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
        /^HTTP 302/,
      ],
      ['hang', () => {}, /^No answer within 1 s$/],
      ['close', (response) => response.socket?.destroy(), /without an answer/],
    ]
    for (const [name, behaviour, error] of misbehaviours) {
      receiver.behave(behaviour)
      const endpoint = await platform.endpoint(`${receiver.url}/${name}`)
      const event = await platform.happen()
      await until(async () => expect((await platform.delivery(event, endpoint)).attempts).toHaveLength(1))
      expect((await platform.delivery(event, endpoint)).attempts[0]?.error).toMatch(error)
      await platform.handle(event, endpoint).signal('cancel')
      expect(await platform.handle(event, endpoint).result()).toBe('cancelled')
      expect((await platform.delivery(event, endpoint)).status).toBe('cancelled')
      await platform.sql`UPDATE webhook_endpoints SET status = 'deleted' WHERE id = ${endpoint.id}`
    }
  })

  test('ends on a cancellation by Temporal as well', async () => {
    receiver.behave(answers(503))
    const endpoint = await platform.endpoint(receiver.url)
    const event = await platform.happen()
    await until(async () => expect((await platform.delivery(event, endpoint)).attempts).toHaveLength(1))
    await platform.handle(event, endpoint).cancel()
    expect(await platform.handle(event, endpoint).result()).toBe('cancelled')
    expect((await platform.delivery(event, endpoint)).status).toBe('cancelled')
  })
})

describe('a redelivery', () => {
  const again = async (id: string) => {
    await platform.sql.begin((tx) => redeliver(tx, platform.merchantId, id))
    await platform.seal()
  }

  test('sends a delivered webhook again with the same bytes and id, in a new run', async () => {
    const endpoint = await platform.endpoint(receiver.url)
    const event = await platform.happen()
    await platform.handle(event, endpoint).result()
    await again(platform.deliveryId(event, endpoint))
    await receiver.count(2)
    expect(await platform.handle(event, endpoint).result()).toBe('delivered')
    expect(receiver.received[1]?.body).toEqual(receiver.received[0]?.body)
    expect(receiver.received[1]?.headers['webhook-id']).toBe(event)
    verify(receiver.received[1], endpoint.secret)
    expect((await platform.delivery(event, endpoint)).attempts).toHaveLength(2)
  })

  test('keeps the bytes although the endpoint has changed its format since', async () => {
    const endpoint = await platform.endpoint(receiver.url)
    const event = await platform.happen({ type: 'balance.updated', data: { coin: 'eth', funds: [] } })
    await platform.handle(event, endpoint).result()
    await platform.sql.begin((tx) =>
      updateEndpoint(tx, platform.merchantId, endpoint.id, { format: 'layer1' }),
    )
    await again(platform.deliveryId(event, endpoint))
    await receiver.count(2)
    expect(receiver.received[1]?.body).toEqual(receiver.received[0]?.body)
  })

  test('sends a waiting webhook at once in the same run', async () => {
    receiver.behave(answers(500))
    const endpoint = await platform.endpoint(receiver.url)
    const event = await platform.happen()
    await until(async () => expect((await platform.delivery(event, endpoint)).attempts).toHaveLength(1))
    const { runId } = await platform.handle(event, endpoint).describe()
    receiver.behave(answers(200))
    await again(platform.deliveryId(event, endpoint))
    expect(await platform.handle(event, endpoint).result()).toBe('delivered')
    expect((await platform.handle(event, endpoint).describe()).runId).toBe(runId)
  })

  test('sends all webhooks of a period, the delivered ones again and those that never were', async () => {
    const since = new Date(Date.now() - 1)
    const missed = await platform.happen()
    const endpoint = await platform.endpoint(receiver.url)
    const delivered = await platform.happen()
    await platform.happen({ type: 'payment.status_changed' })
    await receiver.count(2)
    await until(async () => expect((await platform.delivery(delivered, endpoint)).status).toBe('delivered'))
    const { renewed } = await runReplay(platform.sql, endpoint, {
      since,
      eventTypes: ['deposit.status_changed'],
    })
    expect(renewed).toBe(2)
    await platform.seal()
    await receiver.count(4)
    const ids = receiver.received.slice(2).map((each) => each.headers['webhook-id'])
    expect(new Set(ids)).toEqual(new Set([missed, delivered]))
    const first = receiver.received.find((each) => each.headers['webhook-id'] === delivered)
    const second = receiver.received.slice(2).find((each) => each.headers['webhook-id'] === delivered)
    expect(second?.body).toEqual(first?.body)
  })
})

describe('an endpoint', () => {
  const set = (id: string, status: 'active' | 'disabled') =>
    changeEndpoint(platform.sql, id, (tx) => updateEndpoint(tx, platform.merchantId, id, { status }))

  test('receives nothing while it is disabled, and the held webhooks once it is enabled again', async () => {
    receiver.behave(answers(500))
    const endpoint = await platform.endpoint(receiver.url)
    const before = await platform.happen()
    await until(async () => expect((await platform.delivery(before, endpoint)).attempts).toHaveLength(1))
    await set(endpoint.id, 'disabled')
    const meanwhile = await platform.happen()
    expect((await platform.delivery(before, endpoint)).status).toBe('held')
    expect((await platform.delivery(meanwhile, endpoint)).status).toBe('held')
    await platform.handle(before, endpoint).signal('retryNow')
    expect(await platform.handle(before, endpoint).result()).toBe('held')
    expect(receiver.received).toHaveLength(1)

    receiver.behave(answers(200))
    await set(endpoint.id, 'active')
    // They take turns: the sealer starts the second one after the first one's attempt.
    await until(async () => {
      await platform.seal()
      expect(receiver.received).toHaveLength(3)
    })
    for (const event of [before, meanwhile]) {
      await until(async () => expect((await platform.delivery(event, endpoint)).status).toBe('delivered'))
    }
  })

  test('loses nothing when it is disabled and enabled during an attempt', async () => {
    const endpoint = await platform.endpoint(receiver.url)
    let release = () => {}
    receiver.behave((response) => {
      release = () => response.writeHead(500).end()
    })
    const event = await platform.happen()
    await receiver.count(1)
    await set(endpoint.id, 'disabled')
    await set(endpoint.id, 'active')
    await platform.seal()
    receiver.behave(answers(200))
    release()
    await until(async () => expect((await platform.delivery(event, endpoint)).status).toBe('delivered'))
    expect(await platform.handle(event, endpoint).result()).toBe('delivered')
  })

  test('receives nothing after it is deleted', async () => {
    receiver.behave(answers(500))
    const endpoint = await platform.endpoint(receiver.url)
    const event = await platform.happen()
    await until(async () => expect((await platform.delivery(event, endpoint)).attempts).toHaveLength(1))
    await platform.sql.begin((tx) => deleteEndpoint(tx, platform.merchantId, endpoint.id))
    expect((await moveDeliveries(platform.sql, endpoint.id)).waiting).toEqual([event])
    await platform.handle(event, endpoint).signal('retryNow')
    expect(await platform.handle(event, endpoint).result()).toBe('cancelled')
    expect(receiver.received).toHaveLength(1)
  })
})

describe('the sweeper and the sealer', () => {
  test('start a workflow again that was terminated', async () => {
    // It cancels what the deleted endpoints of other tests have left.
    await resumeStalledDeliveries(platform.sql, 3_600_000, 86_400_000)
    receiver.behave(answers(500))
    const endpoint = await platform.endpoint(receiver.url)
    const event = await platform.happen()
    await until(async () => expect((await platform.delivery(event, endpoint)).attempts).toHaveLength(1))
    await platform.handle(event, endpoint).terminate('by mistake')
    receiver.behave(answers(200))
    expect(await resumeStalledDeliveries(platform.sql, 3_600_000, 86_400_000)).toBe(0)
    await platform.sql`
      UPDATE webhook_deliveries SET next_attempt_at = now() - interval '2 hours' WHERE event_id = ${event}`
    expect(await resumeStalledDeliveries(platform.sql, 3_600_000, 86_400_000)).toBe(1)
    await platform.seal()
    await until(async () => expect((await platform.delivery(event, endpoint)).status).toBe('delivered'))
  })

  test('deliver once although they start a delivery twice', async () => {
    const endpoint = await platform.endpoint(receiver.url)
    const event = await platform.happen()
    await platform.handle(event, endpoint).result()
    await platform.start(event, endpoint)
    expect(await platform.handle(event, endpoint).result()).toBe('delivered')
    expect(receiver.received).toHaveLength(1)
  })
})
