/** Withdrawals whose destination a screening service checks. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { formatWebhookSecret, verifyWebhookSignature } from '../../domain/events/webhook-signature.js'
import { createSender } from '../../egress/create-sender.js'
import { createTargetPolicy } from '../../egress/target-policy.js'
import type { Withdrawal } from '../../wire/withdrawal.js'
import { type Stage, startStage } from '../stage/start-stage.js'
import { testNetworks } from '../stage/test-networks.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const secret = formatWebhookSecret(Buffer.alloc(32, 5))
let temporal: TestTemporal
let service: WebhookReceiver
let stage: Stage
const sender = createSender({
  policy: createTargetPolicy({ allowCidrs: ['127.0.0.1/32'], allowHttp: true }),
  timeoutMs: 500,
})

beforeAll(async () => {
  ;[temporal, service] = await Promise.all([testTemporal(), startWebhookReceiver()])
  stage = await startStage({
    networks: testNetworks({ ETHEREUM_ENABLED: 'true' }),
    temporal,
    environment: { KEYTURN_WITHDRAWAL_SCREENING_URL: service.url },
    screening: { url: `${service.url}/screen`, secret, sender },
  })
  await stage.credit('ethereum', 'eth', '', 10n ** 20n)
  await stage.startWorker()
})
beforeEach(() => {
  service.received.length = 0
})
afterAll(async () => {
  await stage?.close()
  await Promise.all([service?.close(), temporal?.close(), sender.close()])
})

const says = (body: unknown) => service.behave(answers(200, JSON.stringify(body)))
async function ask(): Promise<string> {
  const { json } = await stage.create({ network: 'ethereum', coin: 'eth', amount: '1.50', to_address: TO })
  return json.data.id
}
async function until(id: string, holds: (view: Withdrawal) => boolean): Promise<Withdrawal> {
  for (let i = 0; i < 400; i++) {
    const view = await stage.read(id)
    if (holds(view)) return view
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(JSON.stringify(await stage.read(id)))
}
const auditOf = async (id: string) =>
  (
    await stage.api.database.sql<{ action: string }[]>`
      SELECT action FROM audit_log WHERE subject = ${id} ORDER BY position`
  ).map((row) => row.action)

test('continues to the approvals of an approved destination, and signs the question', async () => {
  says({ result: 'approved', reference: 'case-7' })
  const id = await ask()
  const view = await stage.until(id, 'pending_approval')
  expect(view.screening).toMatchObject({ state: 'approved', reference: 'case-7', reason: null })
  const [asked] = service.received
  if (!asked) throw new Error('it was not asked')
  expect(asked.path).toBe('/screen')
  expect(JSON.parse(asked.body.toString())).toMatchObject({
    id,
    network: 'ethereum',
    coin: 'eth',
    amount: '1.50',
    to_address: TO,
  })
  const verified = verifyWebhookSignature({
    id: String(asked.headers['webhook-id']),
    timestamp: Number(asked.headers['webhook-timestamp']),
    signature: String(asked.headers['webhook-signature']),
    body: asked.body,
    secret,
    now: Math.floor(Date.now() / 1_000),
  })
  expect([asked.headers['webhook-id'], verified]).toEqual([id, true])
  expect(await auditOf(id)).toEqual([
    'withdrawal.requested',
    'withdrawal.screened',
    'withdrawal.pending_approval',
  ])
  expect(service.received).toHaveLength(1)
})

test('ends at a rejected destination and releases the hold', async () => {
  says({ result: 'rejected', reason: 'mixer' })
  const held = await stage.balance('ethereum', 'eth', 'reserved', '')
  const id = await ask()
  const view = await until(id, (each) => each.stage === 'failed')
  expect(view.failure).toEqual({
    code: 'REJECTED_BY_SCREENING',
    message: 'The screening service rejected the destination: mixer',
  })
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(held)
})

test('waits for a reviewer when the service asks for a review', async () => {
  says({ result: 'review', reason: 'new cluster' })
  const id = await ask()
  const view = await stage.until(id, 'pending_review')
  expect(view.review).toEqual({ required: true })
  expect(view.screening).toMatchObject({ state: 'review', reason: 'new cluster' })
  await stage.approve(id)
  expect((await stage.read(id)).stage).toBe('pending_review')
})

test.each([
  ['an error', answers(500)],
  ['a redirect', answers(302)],
  ['something else', answers(200, '{"result": "pass"}')],
  ['no JSON', answers(200, 'ok')],
  ['nothing', () => {}],
] as const)(
  'waits and says so while the service answers %s, also when people decide, and continues afterwards',
  async (_, behaviour) => {
    service.behave(behaviour)
    const id = await ask()
    const waiting = await until(id, (view) => view.waiting?.code === 'SCREENING_UNAVAILABLE')
    expect([waiting.stage, waiting.screening]).toEqual(['requested', { state: 'pending' }])
    const { json } = await stage.api.call({
      method: 'POST',
      path: `/api/v1/withdrawals/${id}/review`,
      body: { decision: 'approve', reason: 'trust me' },
      key: stage.people[1].key,
    })
    expect(json.error.code).toBe('INVALID_STATE')
    await stage.approve(id)
    await service.count(2)
    expect((await stage.read(id)).stage).toBe('requested')
    says({ result: 'approved' })
    await stage.until(id, 'approved')
  },
)

test('asks about every recipient of a batch before anything is built, and pays none that is not approved', async () => {
  const held = await stage.balance('ethereum', 'eth', 'reserved', '')
  service.behave(answers(503, ''))
  const { json } = await stage.createBatch({
    batch_withdrawal: {
      network: 'ethereum',
      coin: 'eth',
      outputs: [
        { to_address: TO, amount: '1.50' },
        { to_address: TO, amount: '2' },
      ],
    },
  })
  const { id, items } = json.data
  await stage.approve(id)
  const waiting = () => stage.api.database.sql<{ code: string }[]>`
    SELECT waiting ->> 'code' AS code FROM payouts WHERE batch_id = ${id} AND waiting IS NOT NULL`
  for (let i = 0; (await waiting()).length < 2 && i < 400; i++)
    await new Promise((done) => setTimeout(done, 50))
  expect((await waiting()).map((row) => row.code)).toEqual(['SCREENING_UNAVAILABLE', 'SCREENING_UNAVAILABLE'])
  says({ result: 'rejected', reason: 'mixer' })
  const view = await stage.untilBatch(id, 'failed')
  expect(view.items.map((item) => item.failure)).toEqual(
    Array.from({ length: 2 }, () => ({
      code: 'REJECTED_BY_SCREENING',
      message: 'The screening service rejected the destination: mixer',
    })),
  )
  const asked = service.received.map((each) => JSON.parse(each.body.toString()))
  expect(new Set(asked.map((each) => each.id))).toEqual(new Set(items.map((item: { id: string }) => item.id)))
  expect(asked.every((each) => each.batch_id === id && each.to_address === TO)).toBe(true)
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(held)
})
