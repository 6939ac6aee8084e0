/** The lifecycle mapping, uploads of orders, and the comparison of payments with orders. */

import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ApiEnv } from '../../../api/context.js'
import { announceUpload } from '../../../api/middleware/announce-upload.js'
import { spoolProvenUpload } from '../../../api/middleware/spool-upload.js'
import { PAGE } from '../../../db/books/reconciliation/checks/check.js'
import { orders } from '../../../db/books/reconciliation/checks/orders.js'
import { Findings } from '../../../domain/books/difference.js'
import { type PaymentStage, startPaymentStage } from '../../stage/payments.js'
import { differencesOf, reconcile } from '../../stage/reconcile.js'
import type { ApiKeyPair } from '../../stage/test-api.js'

const HEAD = 'order_id,payment_id,user_reference,network,coin,amount,state,at'
let stage: PaymentStage
let key: ApiKeyPair
let merchantId: string

beforeAll(async () => {
  stage = await startPaymentStage('bitcoin')
})
afterAll(() => stage?.close())
beforeEach(async () => {
  merchantId = await stage.api.newMerchant()
  key = await stage.api.newKey({ merchantId })
})

const call = (method: string, path: string, body?: unknown, by = key) =>
  stage.api.call({ method, path: `/api/v1${path}`, key: by, ...(body === undefined ? {} : { body }) })
const upload = (body: string, type = 'text/csv', headers: Record<string, string> = {}, by = key) =>
  stage.api.call({
    method: 'POST',
    path: '/api/v1/reconciliation/orders',
    body,
    key: by,
    headers: { 'Content-Type': type, ...headers },
  })
const csv = (...lines: string[]) => [HEAD, ...lines, ''].join('\r\n')
const AT = '2024-11-01T10:00:00Z'
const gate = (name: string, satisfied_by: string[], stuck_after = '15m') => ({
  gate: name,
  satisfied_by,
  stuck_after,
})

describe('the lifecycle mapping', () => {
  const gates = [gate('payable', ['pending', 'paid', 'confirmed']), gate('shipped', ['confirmed'], '2h')]

  test('counts versions, which never change', async () => {
    expect((await call('GET', '/lifecycle-mapping')).json.data).toMatchObject({ version: 0, orders: null })
    const first = await call('PUT', '/lifecycle-mapping', { gates })
    expect(first).toMatchObject({ status: 200, json: { data: { version: 1, gates, orders: null } } })
    expect((await call('PUT', '/lifecycle-mapping', { gates })).json.data.version).toBe(1)
    const second = await call('PUT', '/lifecycle-mapping', { gates, orders: 'complete' })
    expect(second.json.data).toMatchObject({ version: 2, orders: 'complete' })
    expect((await call('GET', '/lifecycle-mapping/1')).json.data).toEqual(first.json.data)
    expect((await call('GET', '/lifecycle-mapping')).json.data).toEqual(second.json.data)
    for (const version of ['3', 'x', '99999999999']) {
      expect((await call('GET', `/lifecycle-mapping/${version}`)).status).toBe(404)
    }
    await expect(
      stage.api.database.sql`UPDATE lifecycle_mappings SET orders = NULL WHERE merchant_id = ${merchantId}`,
    ).rejects.toThrow('never change')
  })

  test('is refused with a gate twice, an unknown status, or no duration', async () => {
    for (const wrong of [
      [gate('a', ['paid']), gate('a', ['confirmed'])],
      [gate('a', ['delivered'])],
      [gate('a', ['paid'], 'soon')],
      [gate('a', [])],
      [],
    ]) {
      expect((await call('PUT', '/lifecycle-mapping', { gates: wrong })).status).toBe(400)
    }
    const reader = await stage.api.newKey({ merchantId, scopes: ['read'] })
    expect((await call('PUT', '/lifecycle-mapping', { gates }, reader)).status).toBe(403)
  })

  test('counts each version once when two are stored at the same time', async () => {
    const answers = await Promise.all(
      ['1h', '2h', '3h', '4h'].map((after) =>
        call('PUT', '/lifecycle-mapping', { gates: [gate('a', ['paid'], after)] }),
      ),
    )
    expect(answers.map(({ json }) => json.data.version).sort()).toEqual([1, 2, 3, 4])
  })
})

describe('an upload of orders', () => {
  const line = (order: string, rest = `,,,bitcoin,btc,0.5,paid,${AT}`) => `${order}${rest}`
  const stored = async () =>
    (
      await stage.api.database.sql<{ order_id: string; amount: bigint; state: string }[]>`
        SELECT order_id, amount, state FROM merchant_orders WHERE merchant_id = ${merchantId} ORDER BY order_id`
    ).map((row) => `${row.order_id} ${row.amount} ${row.state}`)

  test('stores lines of CSV and names the reason of each that it rejects', async () => {
    const { status, json } = await upload(
      csv(
        line('o-1'),
        line('o-2', `,,,bitcoin,btc,half,paid,${AT}`),
        line('"o,\n3"'),
        line('o-1'),
        line('o-4', `,,,nowhere,btc,1,paid,${AT}`),
        line('o-5', `,,,bitcoin,btc,1,delivered,${AT}`),
        line('o-6', `,,,bitcoin,btc,1,paid,yesterday`),
        line('o-7', ',,bitcoin'),
        line("'=1+1"),
      ),
    )
    expect(status).toBe(201)
    expect(json.data).toMatchObject({ accepted: 2, rejected_count: 7 })
    const lines = json.data.rejected.map((each: { line: number }) => each.line)
    expect(lines).toEqual([3, 4, 6, 7, 8, 9, 10])
    const reasons = json.data.rejected.map((each: { reason: string }) => each.reason).join('\n')
    expect(reasons).toMatch(
      /amount.*\n.*control.*\n.*earlier line.*\n.*nowhere.*\n.*no gate.*\n.*instant.*\n.*cells/,
    )
    // The quoted line end is a control character, which no order id has.
    expect(await stored()).toEqual(['=1+1 50000000 paid', 'o-1 50000000 paid'])
  })

  test('stores lines of NDJSON, and replaces the same order and payment', async () => {
    const order = { order_id: 'o-1', network: 'bitcoin', coin: 'btc', amount: '0.5', state: 'paid', at: AT }
    const first = await upload(`${JSON.stringify(order)}\n`, 'application/x-ndjson')
    expect(first.json.data).toMatchObject({ accepted: 1, rejected: [] })
    const again = [{ ...order, state: 'confirmed' }, { ...order, amount: 0.5 }, [], { ...order, more: 1 }]
    const second = await upload(
      `${again.map((each) => JSON.stringify(each)).join('\n')}\nnot json`,
      'application/x-ndjson; charset=utf-8',
    )
    expect(second.json.data).toMatchObject({ accepted: 1, rejected_count: 4 })
    expect(second.json.data.rejected.map((each: { line: number }) => each.line)).toEqual([2, 3, 4, 5])
    expect(await stored()).toEqual(['o-1 50000000 confirmed'])
  })

  test('refuses other media types, files that are none, and what is too large', async () => {
    expect(await upload('{}', 'application/json')).toMatchObject({
      status: 415,
      json: { error: { code: 'UNSUPPORTED_MEDIA_TYPE' } },
    })
    for (const file of ['', 'order_id\r\n', `${HEAD},more\r\n`, csv('"o-1'), `${HEAD},coin\r\n`]) {
      const { status, json } = await upload(file)
      expect({ file, status, code: json.error?.code }).toEqual({
        file,
        status: 400,
        code: 'VALIDATION_FAILED',
      })
    }
    expect(await stored()).toEqual([])
    const stranger = await stage.api.newKey({ merchantId, scopes: ['read'] })
    expect((await upload(csv(line('o-1')), 'text/csv', {}, stranger)).status).toBe(403)
  })

  test('refuses a body that another one was signed for', async () => {
    const { status, json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/reconciliation/orders',
      key,
      body: csv(line('o-1')),
      signedBody: csv(line('o-2')),
      headers: { 'Content-Type': 'text/csv' },
    })
    expect({ status, code: json.error.code }).toEqual({ status: 401, code: 'INVALID_SIGNATURE' })
  })

  test('keeps no file under a name, and takes a limited number at a time', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'keyturn-test-'))
    const app = new Hono<ApiEnv>()
    let go = () => {}
    const held = new Promise<void>((resolve) => {
      go = resolve
    })
    app.onError((error, c) => c.text(error.message, 500))
    app.use((c, next) => {
      c.set('apiKeyId', c.req.header('x-key') ?? '')
      c.set('merchantId', c.req.header('x-merchant') ?? '')
      return next()
    })
    app.use(announceUpload(() => ({ upload: true }) as never))
    app.use(spoolProvenUpload({ limit: 100, directory }))
    app.post('/', async (c) => {
      await held
      const given = c.get('upload')
      const read = await given?.file.read({ buffer: Buffer.alloc(100), position: 0 })
      return c.text(`${given?.bytes} ${read?.buffer.toString('utf8', 0, read.bytesRead)}`)
    })
    const send = async (by: string, owner: string) => {
      const headers = {
        'Content-Type': 'text/csv',
        'X-Content-Sha256': createHash('sha256').update('text').digest('hex'),
        'x-key': by,
        'x-merchant': owner,
      }
      return (await app.request('/', { method: 'POST', body: 'text', headers })).text()
    }
    const answers = [
      ...['a', 'a', 'a', 'b', 'b', 'c'].map((by) => send(by, 'one')),
      ...'defghij'.split('').flatMap((by) => [send(by, by), send(by, by)]),
    ]
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await readdir(directory)).toEqual([])
    go()
    const texts = await Promise.all(answers)
    expect(texts.filter((text) => text.includes('2 uploads of this key'))).toHaveLength(1)
    expect(texts.filter((text) => text.includes('4 uploads of this merchant'))).toHaveLength(1)
    expect(texts.filter((text) => text.includes('16 uploads are'))).toHaveLength(2)
    expect(texts.filter((text) => text === '4 text')).toHaveLength(16)
    await rm(directory, { recursive: true })
  })

  describe('while a stranger who knows the id of the key sends uploads without an end', () => {
    const endings: (() => void)[] = []
    const hold = (ip: string) => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(Buffer.from(HEAD))
          endings.push(() => controller.close())
        },
      })
      const headers = {
        'Content-Type': 'text/csv',
        'X-Api-Key': key.id,
        'X-Timestamp': String(Math.floor(Date.now() / 1_000)),
        'X-Nonce': 'stranger',
        'X-Signature': '0'.repeat(64),
      }
      return stage.api.app.request(
        'http://api.test/api/v1/reconciliation/orders',
        { method: 'POST', headers, body, duplex: 'half' } as RequestInit,
        { incoming: { url: '/api/v1/reconciliation/orders', socket: { remoteAddress: ip } } },
      )
    }
    /** Sends uploads that hold what they get. @returns The statuses of all, once they may end. */
    const strangers = async (ips: readonly string[]) => {
      const answers = ips.map(hold)
      await new Promise((resolve) => setTimeout(resolve, 300))
      return async () => {
        for (const end of endings.splice(0)) end()
        return (await Promise.all(answers)).map(({ status }) => status)
      }
    }
    const announced = (body: string) => ({
      'X-Content-Sha256': createHash('sha256').update(body).digest('hex'),
    })

    test('takes the merchant’s upload that announces its hash, however many addresses they have', async () => {
      const end = await strangers(Array.from({ length: 40 }, (_, at) => `203.0.113.${at}`))
      const body = csv(line('o-1'))
      expect((await upload(body)).status).toBe(429)
      expect((await upload(body, 'text/csv', announced(body))).status).toBe(201)
      const statuses = await end()
      expect(statuses.filter((status) => status === 401)).toHaveLength(8)
      expect(statuses.filter((status) => status === 429)).toHaveLength(32)
    })

    test('takes the merchant’s upload without a hash from another address', async () => {
      const end = await strangers(Array.from({ length: 10 }, () => '203.0.113.7'))
      expect((await upload(csv(line('o-1')))).status).toBe(201)
      expect((await end()).filter((status) => status === 401)).toHaveLength(2)
    })
  })

  test('refuses another body than the one whose hash was announced, and a hash of another form', async () => {
    const [signed, sent] = [csv(line('o-1')), csv(line('o-2'))]
    const send = (hash: string) =>
      stage.api.call({
        method: 'POST',
        path: '/api/v1/reconciliation/orders',
        key,
        body: sent,
        signedBody: signed,
        headers: { 'Content-Type': 'text/csv', 'X-Content-Sha256': hash },
      })
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
    for (const hash of [sha256(signed), sha256(sent)]) {
      expect(await send(hash)).toMatchObject({
        status: 401,
        json: { error: { code: 'INVALID_SIGNATURE' } },
      })
    }
    expect(await send('no hash')).toMatchObject({
      status: 400,
      json: { error: { code: 'VALIDATION_FAILED' } },
    })
    expect(await stored()).toEqual([])
  })

  test('answers a repeated upload with the first answer', async () => {
    const headers = { 'Idempotency-Key': 'orders-of-monday' }
    const first = await upload(csv(line('o-1')), 'text/csv', headers)
    const second = await upload(csv(line('o-1')), 'text/csv', headers)
    expect(second.json).toEqual(first.json)
    expect(second.headers.get('Idempotent-Replayed')).toBe('true')
    expect((await upload(csv(line('o-2')), 'text/csv', headers)).json.error.code).toBe('IDEMPOTENCY_CONFLICT')
  })

  test('takes lines that are split between pieces of the file, in any number', async () => {
    const lines = Array.from({ length: 12_000 }, (_, at) => line(`"order ""${at}"""`))
    const { json } = await upload(csv(...lines, line('"order ""7"""')))
    expect(json.data).toMatchObject({ accepted: 12_000, rejected: [{ line: 12_002 }] })
  })
})

describe('the comparison', () => {
  const own = () => stage.api.merchantId
  const ownKey = () => stage.api.key
  const compare = () =>
    reconcile(stage.api.database.sql, stage.api.dependencies.networks, own(), { scope: ['orders'] })
  const order = async (...lines: string[]) => {
    await stage.api.database.sql`DELETE FROM merchant_orders WHERE merchant_id = ${own()}`
    const { json } = await upload(csv(...lines), 'text/csv', {}, ownKey())
    expect(json.data).toMatchObject({ accepted: lines.length, rejected: [] })
  }
  const map = async (mapping: object) =>
    expect((await call('PUT', '/lifecycle-mapping', mapping, ownKey())).status).toBe(200)
  /** Opens a payment of 1 btc and pays it. */
  const paid = async (fields: Readonly<Record<string, unknown>>, blocks: number) => {
    const payment = await stage.open(fields)
    stage.send(payment.address, payment.amount ?? '1')
    await stage.look()
    if (blocks > 0) await stage.mine(blocks)
    return payment.payment_id
  }

  test('finds nothing where every order has its payments, one to one and n to one either way', async () => {
    await map({ gates: [gate('seen', ['paid', 'confirmed']), gate('shipped', ['confirmed'])] })
    const one = await paid({ order_id: 'a-1' }, 4)
    const shared = await paid({ order_id: 'a-2', user_reference: 'user-2' }, 4)
    await paid({ order_id: 'a-4', amount: '0.3' }, 4)
    await paid({ order_id: 'a-4', amount: '0.7' }, 4)
    await stage.open({ order_id: 'a-1b' }).then(({ payment_id }) => stage.expire(payment_id))
    await paid({ order_id: 'a-1b' }, 4)
    await order(
      `a-1,${one},user-1,bitcoin,btc,1,shipped,${AT}`,
      `a-2,${shared},user-2,bitcoin,btc,0.4,shipped,${AT}`,
      `a-3,${shared},,bitcoin,btc,0.6,shipped,${AT}`,
      `a-4,,,bitcoin,btc,1,seen,${AT}`,
      `a-1b,,,bitcoin,btc,1,shipped,${AT}`,
    )
    const run = await compare()
    expect(differencesOf(run)).toEqual([])
    expect(run.checks.map(({ name, examined }) => `${name} ${examined}`)).toEqual(['orders 4', 'lifecycle 0'])
  })

  test('names each mismatched field with both values', async () => {
    await map({ gates: [gate('shipped', ['confirmed'])] })
    const one = await paid({ order_id: 'b-1' }, 4)
    const two = await paid({ order_id: 'b-2' }, 4)
    const unpaid = (await stage.open({ order_id: 'b-5' })).payment_id
    await order(
      `b-1,${one},user-9,bitcoin,btc,1.5,shipped,${AT}`,
      `b-2,${two},,ethereum,eth,1,shipped,${AT}`,
      `b-3,pay_gone,,bitcoin,btc,1,shipped,${AT}`,
      `b-4,,,bitcoin,btc,2,shipped,${AT}`,
      `b-5,,,bitcoin,btc,1,shipped,${AT}`,
      `b-6,,,bitcoin,btc,1,shipped,${AT}`,
    )
    await stage.api.database.sql`UPDATE payments SET order_id = 'b-6' WHERE id = ${unpaid}`
    const run = await compare()
    expect(differencesOf(run).sort()).toEqual([
      'orders: order b-1 amount 1.5 1',
      'orders: order b-1 user_reference user-9 user-1',
      'orders: order b-2 coin eth btc',
      'orders: order b-2 network ethereum bitcoin',
      'orders: order b-3 payment pay_gone null',
      'orders: order b-4 payment a payment of 2 null',
      'orders: order b-5 payment a payment of 1 null',
      'orders: order b-6 state shipped (confirmed) pending',
    ])
    expect(run.checks[0]?.differences[0]).toMatchObject({ order_id: 'b-1', network: 'bitcoin', coin: 'btc' })
  })

  test('asks for no payment of an order that was given up', async () => {
    await map({
      gates: [
        gate('shipped', ['confirmed']),
        gate('gone', ['expired', 'cancelled']),
        gate('any', ['confirmed', 'expired']),
      ],
    })
    await order(
      `g-1,,,bitcoin,btc,1,gone,${AT}`,
      `g-2,pay_gone,,bitcoin,btc,1,gone,${AT}`,
      `g-3,,,bitcoin,btc,1,any,${AT}`,
    )
    expect(differencesOf(await compare()).sort()).toEqual([
      'orders: order g-2 payment pay_gone null',
      'orders: order g-3 payment a payment of 1 null',
    ])
  })

  test('takes a state for due only after its time, and an unconfirmed payment as well', async () => {
    await map({ gates: [gate('shipped', ['confirmed'], '1h')] })
    const one = await paid({ order_id: 'c-1' }, 0)
    await order(`c-1,${one},,bitcoin,btc,1,shipped,${new Date().toISOString()}`)
    const early = await compare()
    expect(early.status).toBe('clean')
    expect(early.checks.map(({ expected }) => expected.map(({ subject }) => subject.id))).toEqual([
      ['c-1'],
      [one],
    ])
    await map({ gates: [gate('shipped', ['confirmed'], '1ms')] })
    expect(differencesOf(await compare())).toEqual([
      'orders: order c-1 state shipped (confirmed) paid',
      `lifecycle: payment ${one} status confirmed paid`,
    ])
    await stage.mine(4)
    expect((await compare()).status).toBe('clean')
  })

  test('takes an amount and a payment for due only after the time of the state', async () => {
    const now = new Date().toISOString()
    const gates = (stuck: string) => ({
      gates: [gate('payable', ['pending', 'paid', 'confirmed'], stuck), gate('gone', ['expired'], stuck)],
    })
    await map(gates('1h'))
    const open = (await stage.open({ order_id: 'e-1', amount: undefined, user_reference: 'e-1' })).payment_id
    const ended = (await stage.open({ order_id: 'e-4', amount: undefined, user_reference: 'e-4' })).payment_id
    await stage.expire(ended)
    await paid({ order_id: 'e-2', amount: '0.4' }, 4)
    await order(
      `e-1,${open},,bitcoin,btc,10,payable,${now}`,
      `e-2,,,bitcoin,btc,1,payable,${now}`,
      `e-3,,,bitcoin,btc,1,payable,${now}`,
      `e-4,${ended},,bitcoin,btc,1,gone,${now}`,
      `e-5,pay_gone,,bitcoin,btc,1,payable,${now}`,
    )
    const early = await compare()
    expect(differencesOf(early)).toEqual(['orders: order e-5 payment pay_gone null'])
    expect(early.checks[0]?.expected.map(({ subject, field }) => `${subject.id} ${field}`).sort()).toEqual([
      'e-2 amount',
      'e-3 payment',
    ])
    await map(gates('1ms'))
    expect(differencesOf(await compare()).sort()).toEqual([
      'orders: order e-2 amount 1 0.4',
      'orders: order e-3 payment a payment of 1 null',
      'orders: order e-5 payment pay_gone null',
    ])
    const { address } = await stage.read(open)
    stage.send(address, '9')
    await stage.look()
    await stage.mine(4)
    expect(differencesOf(await compare())).toContain('orders: order e-1 amount 10 9')
  })

  test('does not count a line without a payment once a line of its order names one', async () => {
    const gates = [gate('shipped', ['confirmed'], '1ms')]
    await map({ gates })
    const first = (await stage.open({ order_id: 'f-1' })).payment_id
    await stage.expire(first)
    const second = await paid({ order_id: 'f-1' }, 4)
    await order(`f-1,,,bitcoin,btc,1,shipped,${AT}`)
    expect(differencesOf(await compare())).toEqual([])
    const { json } = await upload(csv(`f-1,${second},,bitcoin,btc,1,shipped,${AT}`), 'text/csv', {}, ownKey())
    expect(json.data).toMatchObject({ accepted: 1 })
    expect(differencesOf(await compare())).toEqual([])
    // Money that came for the order otherwise belongs to no line.
    const third = await paid({ order_id: 'f-1' }, 4)
    await map({ gates, orders: 'complete' })
    expect(differencesOf(await compare())).toContain(`orders: payment ${third} order null 1`)
  })

  test('reads the lines of one payment page by page, and compares their sum once', async () => {
    await map({ gates: [gate('shipped', ['confirmed'], '1ms')] })
    const one = await paid({ order_id: 'h-1' }, 4)
    await order()
    const { sql } = stage.api.database
    const lines = 2 * PAGE + 1
    for (const id of [one, 'pay_gone']) {
      await sql`
        INSERT INTO merchant_orders (merchant_id, order_id, payment_id, network, coin, amount, state, at, upload_id)
        SELECT ${own()}, 'h-' || each, ${id}, 'bitcoin', 'btc', CASE each WHEN 1 THEN 100000000 - ${lines - 1}::integer ELSE 1 END,
               'shipped', ${AT}, 'upl_test'
        FROM generate_series(1, ${lines}::integer) each`
    }
    const examine = async () => {
      const findings = new Findings()
      const pages: number[] = []
      const context = {
        merchantId: own(),
        soonMs: 0,
        caip2: new Map(),
        amount: (_network: string, _coin: string, units: string) => units,
      }
      await sql.begin(async (tx) => {
        for await (const _ of orders.examine(tx, context, findings)) pages.push(findings.differenceCount)
      })
      const growth = pages.map((found, at) => found - (pages[at - 1] ?? 0))
      return { findings, growth }
    }
    const { findings, growth } = await examine()
    expect(findings.differences.length).toBe(lines)
    expect(new Set(findings.differences.map(({ field, expected }) => `${field} ${expected}`))).toEqual(
      new Set(['payment pay_gone']),
    )
    expect(Math.max(...growth)).toBeLessThanOrEqual(PAGE)
    await sql`DELETE FROM merchant_orders WHERE merchant_id = ${own()} AND payment_id = 'pay_gone'`
    await sql`UPDATE merchant_orders SET amount = 3 WHERE merchant_id = ${own()} AND order_id = ${`h-${lines}`}`
    const sums = (await examine()).findings.differences
    expect(sums.map(({ field, expected, actual }) => `${field} ${expected} ${actual}`)).toEqual([
      'amount 100000002 100000000',
    ])
    await order()
  })

  test('reports a payment without an order only where orders are complete', async () => {
    const gates = [gate('shipped', ['confirmed'], '1h')]
    const one = await paid({ order_id: 'd-1' }, 4)
    await order(`d-1,,,bitcoin,btc,1,shipped,${AT}`)
    await map({ gates })
    expect((await compare()).status).toBe('clean')
    await map({ gates, orders: 'complete' })
    const run = await compare()
    const all = [...(run.checks[0]?.differences ?? []), ...(run.checks[0]?.expected ?? [])]
    expect(run.checks[0]?.differences).toEqual([])
    expect(all.map(({ field }) => field)).not.toContain('state')
    expect(all.map(({ subject }) => subject.id)).not.toContain(one)
    expect(all.length).toBeGreaterThan(3)
    await map({ gates: [gate('shipped', ['confirmed'], '1ms')], orders: 'complete' })
    expect(differencesOf(await compare()).every((each) => / payment pay_\w+ order null /.test(each))).toBe(
      true,
    )
  })
})
