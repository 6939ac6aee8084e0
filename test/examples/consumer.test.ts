/** What an example does with webhooks, without a stack: signatures, repeats, any order, and a killed process. */

import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { ApiError } from '../../client/api-error.js'
import type { Client } from '../../client/create-client.js'
import type { NewPayment, Payment } from '../../client/types.js'
import { openMarketplace } from '../../docs/examples/marketplace-settlement/open-marketplace.js'
import { openSaasBilling } from '../../docs/examples/saas-billing/open-saas-billing.js'
import { signWebhook } from '../../domain/events/webhook-signature.js'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const folder = mkdtempSync(join(tmpdir(), 'keyturn-examples-'))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
let events = 0

/** Opens a backend whose platform keeps payments in memory, by the key of the request. */
async function openBackend() {
  files += 1
  const file = join(folder, `${files}.ndjson`)
  const payments = new Map<string, Payment>()
  let failure: Error | null = null
  const client = {
    payments: {
      async create(wanted: NewPayment, { idempotencyKey = '' } = {}) {
        const made = {
          ...wanted,
          payment_id: `pay_${payments.size + 1}`,
          status: 'pending',
          flags: [],
          created_at: '2026-01-01T00:00:00.000Z',
          confirmed_at: null,
          paid_at: null,
          amount_confirmed: '0',
        } as unknown as Payment
        if (failure instanceof ApiError) throw failure
        const payment = payments.get(idempotencyKey) ?? made
        payments.set(idempotencyKey, payment)
        if (failure) throw failure
        return payment
      },
      list: async ({ order_id }: { order_id: string }) => ({
        items: [...payments.values()].filter((each) => each.order_id === order_id),
      }),
    },
  } as unknown as Client
  const open = () => openSaasBilling({ client, secret: SECRET, file })
  let backend = open()
  const call = (path: string, body?: unknown) =>
    backend.app.request(path, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) })
  return {
    file,
    payments,
    call,
    failWith(error: Error | null) {
      failure = error
    },
    // biome-ignore lint/suspicious/noExplicitAny: a test reads any answer
    json: async (path: string, body?: unknown): Promise<any> => (await call(path, body)).json(),
    /** Starts another process on the same books. */
    async restart() {
      backend.close()
      backend = open()
      await backend.resume()
    },
    send: (webhook: ReturnType<typeof webhookOf>) =>
      backend.app.request('/webhooks', { method: 'POST', ...webhook }),
  }
}

/** Returns a signed webhook about a payment. */
function webhookOf(payment: Partial<Payment>, sequence: number, secret = SECRET) {
  events += 1
  const id = `evt_${events}`
  const timestamp = Math.floor(Date.now() / 1_000)
  const body = JSON.stringify({ id, event: 'payment.status_changed', sequence, data: payment })
  const signature = signWebhook({ id, timestamp, body: Buffer.from(body), secrets: [secret] })
  return {
    body,
    headers: { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature },
  }
}

/** Subscribes, and returns a webhook for each status that its payment takes. */
async function subscribe(backend: Awaited<ReturnType<typeof openBackend>>) {
  const { subscription_id, payment_id } = await backend.json('/subscriptions', {
    customer: 'a',
    plan: 'team',
  })
  const payment = [...backend.payments.values()].find((each) => each.payment_id === payment_id)
  const confirmed_at = '2026-01-02T00:00:00.000Z'
  return {
    path: `/subscriptions/${subscription_id}`,
    webhooks: [
      webhookOf({ ...payment, status: 'pending' }, 1),
      webhookOf({ ...payment, status: 'paid', paid_at: '2026-01-01T12:00:00.000Z' }, 2),
      webhookOf({ ...payment, status: 'confirmed', confirmed_at }, 3),
    ] as const,
  }
}

test('gives the same books for webhooks in any order, repeated, with restarts between', async () => {
  const step = fc.oneof(fc.integer({ min: 0, max: 2 }), fc.constant('restart' as const))
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const backend = await openBackend()
      const { path, webhooks } = await subscribe(backend)
      for (const each of [...steps, 0, 2, 1] as const) {
        if (each === 'restart') await backend.restart()
        else expect((await backend.send(webhooks[each as 0])).status).toBe(204)
      }
      await backend.restart()
      expect(await backend.json(path)).toMatchObject({
        periods: 1,
        paid_until: '2026-02-01T00:00:00.000Z',
        payments: [{ status: 'confirmed' }],
      })
    }),
    { numRuns: 50 },
  )
})

test('gives nothing for a payment that was only seen', async () => {
  const backend = await openBackend()
  const { path, webhooks } = await subscribe(backend)
  await backend.send(webhooks[1])
  expect(await backend.json(path)).toMatchObject({
    active: false,
    periods: 0,
    payments: [{ status: 'paid' }],
  })
})

test('answers 401 to a webhook that the platform did not sign, and writes nothing', async () => {
  const backend = await openBackend()
  const { webhooks } = await subscribe(backend)
  const [, , genuine] = webhooks
  const before = readFileSync(backend.file, 'utf8')
  const other = webhookOf(JSON.parse(genuine.body).data, 4, `whsec_${Buffer.alloc(32, 8).toString('base64')}`)
  const changed = { ...genuine, body: genuine.body.replace('"confirmed"', '"paid"') }
  const written = { ...genuine, body: JSON.stringify(JSON.parse(genuine.body), null, 1) }
  for (const each of [other, changed, written, { ...genuine, headers: {} }])
    expect((await backend.send(each as typeof genuine)).status).toBe(401)
  expect(readFileSync(backend.file, 'utf8')).toBe(before)
})

test('has an event on the disk before it answers', async () => {
  const backend = await openBackend()
  const { webhooks } = await subscribe(backend)
  await backend.send(webhooks[2])
  expect(readFileSync(backend.file, 'utf8')).toContain(JSON.parse(webhooks[2].body).id)
})

test('drops half a line that a crash left, and goes on', async () => {
  const backend = await openBackend()
  const { path, webhooks } = await subscribe(backend)
  appendFileSync(backend.file, '{"kind":"event","ev')
  await backend.restart()
  await backend.send(webhooks[2])
  await backend.restart()
  expect(await backend.json(path)).toMatchObject({ periods: 1 })
})

test('requests a payment again whose answer was lost, and not one that was refused', async () => {
  const backend = await openBackend()
  backend.failWith(new Error('The connection broke'))
  expect((await backend.call('/subscriptions', { customer: 'a', plan: 'team' })).status).toBe(500)
  backend.failWith(null)
  await backend.restart()
  expect(backend.payments.size).toBe(1)
  expect(await backend.json('/support/pay_1')).toMatchObject([{ status: 'pending' }])

  const refusal = { code: 'VALIDATION_FAILED', message: 'no', details: {}, request_id: '' }
  backend.failWith(new ApiError(422, refusal))
  expect((await backend.call('/subscriptions', { customer: 'b', plan: 'team' })).status).toBe(422)
  backend.failWith(null)
  await backend.restart()
  expect(backend.payments.size).toBe(1)
})

test('refuses an amount that cannot be added, before it is in the books', async () => {
  const client = {} as Client
  const file = join(folder, 'market.ndjson')
  const { app, close } = openMarketplace({ client, secret: SECRET, file })
  for (const amount of ['1e3', '-1', '0,5', '.5', '1.', '']) {
    const order = { buyer: 'b', seller: 's', lines: [{ item: 'lamp', amount }] }
    const answer = await app.request('/orders', { method: 'POST', body: JSON.stringify(order) })
    expect(answer.status, amount).toBe(400)
  }
  expect((await app.request('/orders', { method: 'POST', body: '{' })).status).toBe(400)
  expect(readFileSync(file, 'utf8')).toBe('')
  close()
})

test('gives the amount of a refused withdrawal back, and keeps that of one whose answer was lost', async () => {
  const known: { external_id: string; id: string }[] = []
  let status = 503
  let accepts = false
  const client = {
    payments: {
      create: async (wanted: NewPayment) => ({
        ...wanted,
        payment_id: 'pay_1',
        status: 'confirmed',
        flags: [],
      }),
    },
    withdrawals: {
      async create({ external_id }: { external_id: string }) {
        if (accepts) known.push({ external_id, id: 'wd_1' })
        throw new ApiError(status, { code: 'FAILED', message: 'no', details: {}, request_id: '' })
      },
      list: async ({ external_id }: { external_id: string }) => ({
        items: known.filter((each) => each.external_id === external_id),
      }),
    },
  } as unknown as Client
  const parts = { client, secret: SECRET, file: join(folder, 'sellers.ndjson') }
  let backend = openMarketplace(parts)
  const post = (path: string, body: unknown = {}) =>
    backend.app.request(path, { method: 'POST', body: JSON.stringify(body) })
  const available = async () => {
    const ledger = (await (await backend.app.request('/sellers/s')).json()) as { available: string }
    return ledger.available
  }
  const order = { buyer: 'b', seller: 's', lines: [{ item: 'lamp', amount: '0.05' }] }
  const { order_id } = (await (await post('/orders', order)).json()) as { order_id: string }
  await post(`/orders/${order_id}/delivered`)
  expect(await available()).toBe('0.05')

  status = 422
  await post('/sellers/s/withdrawals', { amount: '0.02', to_address: '0x1' })
  expect(await available()).toBe('0.05')

  accepts = true
  status = 503
  await post('/sellers/s/withdrawals', { amount: '0.02', to_address: '0x1' })
  expect(await available()).toBe('0.03')
  // A new process requests it again, and the platform refuses it, because it has it already.
  accepts = false
  status = 409
  backend.close()
  backend = openMarketplace(parts)
  await backend.resume()
  expect(await available()).toBe('0.03')
  expect((await post('/sellers/s/withdrawals', { amount: '0.04', to_address: '0x1' })).status).toBe(409)
})
