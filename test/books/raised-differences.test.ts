/** What a reconciliation finds raises an exception once a cause, and a later run closes what is gone. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { closeGoneCauses } from '../../db/books/exceptions/close-gone-causes.js'
import { raiseOverdue } from '../../db/books/reconciliation/raise-overdue.js'
import { inTransaction } from '../../db/connect.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'
import { reconcile } from '../stage/reconcile.js'

let stage: PaymentStage

beforeAll(async () => {
  stage = await startPaymentStage('bitcoin')
})
afterAll(() => stage?.close())
beforeEach(() => stage.api.database.sql`DELETE FROM merchant_orders`)

const sql = () => stage.api.database.sql
const merchant = () => stage.api.merchantId
const run = (scope: 'orders' | 'internal', networks?: readonly string[]) =>
  reconcile(sql(), stage.api.dependencies.networks, merchant(), {
    scope: [scope],
    networks: networks ?? null,
  })
const exceptions = (kind: string) => sql()<
  {
    id: string
    status: string
    resolution: string | null
    subject: string
    payment_id: string | null
    user_reference: string | null
    expected: string | null
    actual: string | null
    evidence: Record<string, unknown>
  }[]
>`
  SELECT id, status, resolution, subject_type || ' ' || subject_id AS subject, payment_id, user_reference, expected, actual,
         evidence
  FROM exceptions WHERE merchant_id = ${merchant()} AND kind = ${kind} ORDER BY id`
const count = async (query: PromiseLike<readonly unknown[]>) => (await query).length
const upload = async (line: string) => {
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/reconciliation/orders',
    body: `order_id,payment_id,network,coin,amount,state,at\n${line}\n`,
    headers: { 'Content-Type': 'text/csv' },
  })
  expect(json.data).toMatchObject({ accepted: 1 })
}
const map = (stuck_after: string) =>
  stage.api.call({
    method: 'PUT',
    path: '/api/v1/lifecycle-mapping',
    body: { gates: [{ gate: 'shipped', satisfied_by: ['confirmed'], stuck_after }] },
  })
/** Changes the available balance of a user past the ledger, as a superuser can. */
const tamper = (by: number) =>
  inTransaction(sql(), async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`
      UPDATE ledger_accounts SET balance = balance + ${by}
      WHERE merchant_id = ${merchant()} AND kind = 'available' AND owner = 'user-1'`
  })

test('raises one drift however often it is found, and closes it when it is gone', async () => {
  const payment = await stage.open()
  stage.send(payment.address, '1')
  await stage.mine(4)
  await tamper(5)
  for (let each = 0; each < 3; each++) expect((await run('internal')).status).toBe('differences')
  const raised = await exceptions('drift')
  expect(raised).toMatchObject([
    {
      status: 'open',
      subject: 'account available:user-1',
      user_reference: 'user-1',
      expected: '-1',
      actual: '-0.99999995',
      evidence: { check: 'balances', network: 'bitcoin', coin: 'btc', account: 'available:user-1' },
    },
  ])
  const id = raised[0]?.id ?? ''
  expect(
    await count(sql()`SELECT FROM events WHERE type = 'exception.raised' AND data ->> 'id' = ${id}`),
  ).toBe(1)
  await tamper(-5)
  expect((await run('orders')).status).toBe('clean')
  expect((await run('internal', ['ethereum'])).status).toBe('clean')
  expect((await exceptions('drift'))[0]?.status).toBe('open')
  expect((await run('internal')).status).toBe('clean')
  expect(await exceptions('drift')).toMatchObject([{ status: 'resolved', resolution: 'cause_gone' }])
  expect(
    await count(sql()`SELECT FROM audit_log WHERE subject = ${id} AND action = 'exception.closed'`),
  ).toBe(1)
  // The same cause may come again.
  await tamper(5)
  await run('internal')
  await tamper(-5)
  expect(await count(exceptions('drift'))).toBe(2)
  await run('internal')
})

test('raises an order mismatch, and closes it when the merchant corrects the order', async () => {
  const payment = await stage.open({ order_id: 'm-1' })
  stage.send(payment.address, '1')
  await stage.mine(4)
  await map('1h')
  await upload(`m-1,${payment.payment_id},bitcoin,btc,2,shipped,2024-11-01T10:00:00Z`)
  await run('orders')
  await run('orders')
  expect(await exceptions('order_mismatch')).toMatchObject([
    {
      status: 'open',
      subject: 'order m-1',
      payment_id: payment.payment_id,
      user_reference: 'user-1',
      expected: '2',
      actual: '1',
      evidence: { field: 'amount', order_id: 'm-1' },
    },
  ])
  await upload(`m-1,${payment.payment_id},bitcoin,btc,1,shipped,2024-11-01T10:00:00Z`)
  await run('orders')
  expect(await exceptions('order_mismatch')).toMatchObject([{ status: 'resolved' }])
})

test('raises one exception for a payment that both checks find, and closes it with the credit', async () => {
  const payment = await stage.open({ order_id: 'p-1' })
  stage.send(payment.address, '1')
  await stage.look()
  await map('1h')
  await upload(`p-1,${payment.payment_id},bitcoin,btc,1,shipped,${new Date().toISOString()}`)
  expect((await run('orders')).status).toBe('clean')
  expect(await exceptions('paid_not_confirmed')).toEqual([])
  await map('1ms')
  await run('orders')
  expect(await exceptions('paid_not_confirmed')).toMatchObject([
    { status: 'open', payment_id: payment.payment_id, actual: 'paid' },
  ])
  await stage.mine(4)
  await run('orders')
  expect(await exceptions('paid_not_confirmed')).toMatchObject([{ status: 'resolved' }])
})

test('raises what is stuck where an order claims more than a payment without money', async () => {
  const payment = await stage.open({ order_id: 's-1' })
  await map('1ms')
  await upload(`s-1,,bitcoin,btc,1,shipped,2024-11-01T10:00:00Z`)
  await run('orders')
  expect(await exceptions('stuck')).toMatchObject([
    {
      subject: 'order s-1',
      payment_id: payment.payment_id,
      expected: 'shipped (confirmed)',
      actual: 'pending',
    },
  ])
})

const overdue = () => raiseOverdue(sql(), stage.api.dependencies.networks)
const of = async (kind: string, paymentId: string) =>
  (await exceptions(kind)).filter((each) => each.payment_id === paymentId)

test('raises a late credit by the time of its gate without a run, once with the runs, and closes it', async () => {
  const payment = await stage.open({ order_id: 'w-1' })
  stage.send(payment.address, '1')
  await stage.look()
  await map('1h')
  expect(await overdue()).toBe(0)
  await map('1ms')
  expect(await overdue()).toBe(1)
  expect(await of('paid_not_confirmed', payment.payment_id)).toMatchObject([
    {
      status: 'open',
      actual: 'paid',
      expected: 'confirmed',
      evidence: { check: 'lifecycle', network: 'bitcoin' },
    },
  ])
  expect(await overdue()).toBe(0)
  await run('orders')
  expect(await of('paid_not_confirmed', payment.payment_id)).toHaveLength(1)
  await stage.mine(4)
  await closeGoneCauses(sql())
  expect(await of('paid_not_confirmed', payment.payment_id)).toMatchObject([{ status: 'resolved' }])
  expect(await overdue()).toBe(0)
})

test('raises a late credit after a day where no gate asks for the credit', async () => {
  await stage.api.call({
    method: 'PUT',
    path: '/api/v1/lifecycle-mapping',
    body: { gates: [{ gate: 'shipped', satisfied_by: ['paid', 'confirmed'], stuck_after: '1ms' }] },
  })
  const payment = await stage.open({ order_id: 'w-2' })
  stage.send(payment.address, '1')
  await stage.look()
  const age = (hours: number) =>
    sql()`UPDATE payments SET paid_at = now() - ${hours} * interval '1 hour' WHERE id = ${payment.payment_id}`
  await age(23)
  expect(await overdue()).toBe(0)
  expect((await run('orders')).checks).toMatchObject([{ ok: true }, { name: 'lifecycle', ok: true }])
  await age(25)
  expect((await run('orders')).checks).toMatchObject([{ ok: true }, { name: 'lifecycle', ok: false }])
  await sql()`DELETE FROM exceptions WHERE payment_id = ${payment.payment_id}`
  expect(await overdue()).toBe(1)
  expect(await of('paid_not_confirmed', payment.payment_id)).toMatchObject([{ status: 'open' }])
  await stage.mine(4)
})

test.each(['named', 'unnamed'])(
  'raises a stuck order whose payment is %s by its gate, and closes it',
  async (by) => {
    const id = `w-${by}`
    const payment = await stage.open({ order_id: id })
    await map('1h')
    await upload(
      `${id},${by === 'named' ? payment.payment_id : ''},bitcoin,btc,1,shipped,${new Date().toISOString()}`,
    )
    expect(await overdue()).toBe(0)
    await map('1ms')
    expect(await overdue()).toBe(1)
    const raised = { subject: `order ${id}`, expected: 'shipped (confirmed)', actual: 'pending' }
    expect(await of('stuck', payment.payment_id)).toMatchObject([{ ...raised, status: 'open' }])
    expect(await overdue()).toBe(0)
    await run('orders')
    await closeGoneCauses(sql())
    expect(await of('stuck', payment.payment_id)).toMatchObject([{ ...raised, status: 'open' }])
    stage.send(payment.address, '1')
    await stage.mine(4)
    await closeGoneCauses(sql())
    expect(await of('stuck', payment.payment_id)).toMatchObject([{ status: 'resolved' }])
  },
)

test('leaves a drift resolved while both values move together, and raises it when they move apart', async () => {
  const credit = async () => {
    const payment = await stage.open()
    stage.send(payment.address, '1')
    await stage.mine(4)
  }
  await sql()`DELETE FROM exceptions WHERE kind = 'drift'`
  await credit()
  await tamper(3)
  await run('internal')
  const [first] = await exceptions('drift')
  const resolved = await stage.api.call({
    method: 'POST',
    path: `/api/v1/exceptions/${first?.id}/resolve`,
    body: { resolution: 'none', comment: 'It stays as it is' },
  })
  expect(resolved.status).toBe(200)
  await credit()
  expect((await run('internal')).status).toBe('differences')
  const second = await exceptions('drift')
  expect(second.map(({ status, resolution }) => `${status} ${resolution}`)).toEqual(['resolved none'])
  await tamper(4)
  await run('internal')
  expect((await exceptions('drift')).map(({ status }) => status)).toEqual(['resolved', 'open'])
})
