/** Old orders and old runs of the reconciliation are deleted, and nothing that is still needed. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { purgeOrders } from '../../db/books/orders/purge-orders.js'
import { purgeRuns } from '../../db/books/reconciliation/purge-runs.js'
import { newId } from '../../db/new-id.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'
import { differencesOf, reconcile } from '../stage/reconcile.js'

const YEAR_MS = 400 * 86_400_000
const OLD = '2024-11-01T10:00:00Z'
let stage: PaymentStage
beforeAll(async () => {
  stage = await startPaymentStage('bitcoin')
})
afterAll(() => stage?.close())

/** Opens a payment of 1 btc and pays it. */
async function paid(orderId: string): Promise<string> {
  const payment = await stage.open({ order_id: orderId, user_reference: orderId })
  stage.send(payment.address, payment.amount ?? '1')
  await stage.look()
  await stage.mine(4)
  return payment.payment_id
}

async function upload(...lines: string[]): Promise<void> {
  const head = 'order_id,payment_id,network,coin,amount,state,at'
  const { status, json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/reconciliation/orders',
    body: [head, ...lines, ''].join('\n'),
    headers: { 'Content-Type': 'text/csv' },
  })
  expect({ status, rejected: json.data?.rejected }).toEqual({ status: 201, rejected: [] })
}

const compare = async () =>
  differencesOf(
    await reconcile(stage.api.database.sql, stage.api.dependencies.networks, stage.api.merchantId, {
      scope: ['orders'],
    }),
  )

/** Ends the pause between two passes, and deletes old orders. */
async function purge(retentionMs: number): Promise<number> {
  const { sql } = stage.api.database
  await sql`UPDATE purges SET due_at = '-infinity'`
  return await purgeOrders(sql, retentionMs)
}

async function orders(): Promise<string[]> {
  const rows = await stage.api.database.sql<{ id: string }[]>`
    SELECT DISTINCT order_id AS id FROM merchant_orders WHERE merchant_id = ${stage.api.merchantId} ORDER BY order_id`
  return rows.map(({ id }) => id)
}

test('deletes old orders with all that share their payments, and makes no difference by it', async () => {
  const { sql } = stage.api.database
  await stage.api.call({
    method: 'PUT',
    path: '/api/v1/lifecycle-mapping',
    body: {
      gates: [{ gate: 'shipped', satisfied_by: ['confirmed', 'pending'], stuck_after: '1ms' }],
      orders: 'complete',
    },
  })
  const alone = await paid('a-alone')
  const shared = await paid('b-shared')
  await paid('c-unnamed')
  const mixed = await paid('d-mixed')
  const chained = await paid('e-chained')
  const wrong = await paid('f-wrong')
  const open = await stage.open({ order_id: 'g-open', user_reference: 'g-open' })
  const again = await paid('h-again')
  const recent = new Date(Date.now() - 3_600_000).toISOString()
  await upload(
    `a-alone,${alone},bitcoin,btc,1,shipped,${OLD}`,
    `b-shared,${shared},bitcoin,btc,0.25,shipped,${OLD}`,
    `b-shared-2,${shared},bitcoin,btc,0.75,shipped,${OLD}`,
    `c-unnamed,,bitcoin,btc,1,shipped,${OLD}`,
    `d-mixed,${mixed},bitcoin,btc,0.5,shipped,${OLD}`,
    `d-mixed-recent,${mixed},bitcoin,btc,0.5,shipped,${recent}`,
    // The first one's payment has an order whose other payment is shared with a third, recent one.
    `e-chained,${chained},bitcoin,btc,0.4,shipped,${OLD}`,
    `d-mixed,${chained},bitcoin,btc,0.6,shipped,${OLD}`,
    `f-wrong,${wrong},bitcoin,btc,2,shipped,${OLD}`,
    `g-open,${open.payment_id},bitcoin,btc,1,shipped,${OLD}`,
    `h-again,${again},bitcoin,btc,1,shipped,${OLD}`,
  )
  await sql`UPDATE order_uploads SET created_at = ${OLD}`
  await sql`UPDATE payments SET created_at = ${OLD}`
  await upload(`h-again,${again},bitcoin,btc,1,shipped,${OLD}`)
  const before = await compare()
  expect(before).toEqual(['orders: order f-wrong amount 2 1'])
  const all = await orders()

  expect(await purge(10_000 * 86_400_000)).toBe(0)
  expect(await orders()).toEqual(all)
  expect(await purge(YEAR_MS)).toBe(4)
  expect(all.filter((id) => !['a-alone', 'b-shared', 'b-shared-2', 'c-unnamed'].includes(id))).toEqual(
    await orders(),
  )
  expect(await compare()).toEqual(before)
  expect(await purge(YEAR_MS)).toBe(0)

  // What kept them ends.
  await sql`UPDATE merchant_orders SET at = ${OLD}`
  await sql`UPDATE order_uploads SET created_at = ${OLD}`
  await upload(`f-wrong,${wrong},bitcoin,btc,1,shipped,${OLD}`)
  await sql`UPDATE order_uploads SET created_at = ${OLD}`
  await stage.expire(open.payment_id)
  expect(await compare()).toEqual(['orders: order g-open state shipped (confirmed, pending) expired'])
  expect(await purge(YEAR_MS)).toBe(5)
  expect(await orders()).toEqual(['g-open'])
  expect(await compare()).toEqual(['orders: order g-open state shipped (confirmed, pending) expired'])
}, 60_000)

test('deletes old runs with what they found, except those that are needed', async () => {
  const { sql } = stage.api.database
  const merchantId = await stage.api.newMerchant()
  const run = async (status: 'clean' | 'differences' | 'failed' | 'running', finishedAt: string) => {
    const id = newId('rec')
    const failed = status === 'failed' ? 'INTERNAL_ERROR' : null
    await sql`
      INSERT INTO reconciliation_runs (id, merchant_id, cause, scope, status, created_by, finished_at, failure_code)
      VALUES (${id}, ${merchantId}, 'request', '{internal}', ${status}, 'test',
              ${status === 'running' ? null : finishedAt}, ${failed})`
    await sql`
      INSERT INTO reconciliation_checks (run_id, name, place, differences, finished_at)
      VALUES (${id}, 'holds', 1, 1, ${finishedAt})`
    await sql`
      INSERT INTO reconciliation_differences (run_id, check_name, due, number, data)
      VALUES (${id}, 'holds', true, 1, '{}')`
    return id
  }
  const except = (id: string, cause: string, resolution: string | null) => sql`
    INSERT INTO exceptions (id, merchant_id, kind, detail, cause, severity, reason, subject_type, subject_id, evidence,
                            status, resolution, resolved_at, due_at, created_at, updated_at)
    VALUES (${newId('exc')}, ${merchantId}, 'drift', 'drift', ${cause}, 'high', 'A hold', 'account', 'ann',
            ${sql.json({ run_id: id })}, ${resolution === null ? 'open' : 'resolved'}, ${resolution},
            ${resolution === null ? null : OLD}, now(), now(), now())`
  const clean = await run('clean', OLD)
  const failed = await run('failed', OLD)
  const resolved = await run('differences', OLD)
  await except(resolved, 'drift:holds:resolved', 'none')
  const named = await run('differences', OLD)
  await except(named, 'drift:holds:open', null)
  const proof = await run('clean', OLD)
  await sql`
    INSERT INTO periods (merchant_id, period, status, from_at, to_at, run_id)
    VALUES (${merchantId}, '2024-10', 'open', '2024-10-01', '2024-11-01', ${proof})`
  const newest = await run('clean', OLD)
  const running = await run('running', OLD)
  const recent = await run('failed', new Date().toISOString())

  const count = async () => {
    await sql`UPDATE purges SET due_at = '-infinity'`
    return await purgeRuns(sql, YEAR_MS)
  }
  expect(await count()).toBe(3)
  const left = async (table: string, column: string) => {
    const rows = await sql<{ id: string }[]>`
      SELECT DISTINCT ${sql(column)} AS id FROM ${sql(table)} WHERE ${sql(column)} = ANY (${[
        clean,
        failed,
        resolved,
        named,
        proof,
        newest,
        running,
        recent,
      ]})`
    return rows.map(({ id }) => id).sort()
  }
  const kept = [named, proof, newest, running, recent].sort()
  expect(await left('reconciliation_runs', 'id')).toEqual(kept)
  expect(await left('reconciliation_checks', 'run_id')).toEqual(kept)
  expect(await left('reconciliation_differences', 'run_id')).toEqual(kept)
  expect(await count()).toBe(0)
})

test('goes on after a stop where it was, in one process at a time, and pauses after the last order', async () => {
  const { sql } = stage.api.database
  const merchants = [await stage.api.newMerchant(), await stage.api.newMerchant()]
  for (const id of merchants) {
    await sql`
      INSERT INTO merchant_orders (merchant_id, order_id, payment_id, network, coin, amount, state, at, upload_id)
      SELECT ${id}, 'order-' || number, '', 'bitcoin', 'btc', 1, 'shipped', ${OLD}, 'upl_none'
      FROM generate_series(1, 1100) AS number`
  }
  const left = async () => {
    const [row] = await sql<{ count: bigint }[]>`
      SELECT count(*) FROM merchant_orders WHERE merchant_id = ANY (${merchants})`
    return Number(row?.count)
  }
  await sql`UPDATE purges SET due_at = '-infinity', place = NULL`
  const once = () => purgeOrders(sql, YEAR_MS, 0)
  while ((await once()) === 0);
  expect(await left()).toBe(1700)

  await sql.begin(async (tx) => {
    await tx`SELECT FROM purges WHERE name = 'orders' FOR UPDATE`
    expect(await purgeOrders(sql, YEAR_MS)).toBe(0)
  })
  expect(await left()).toBe(1700)

  // A page that fails leaves the place as it was, and is due at once.
  await sql`ALTER TABLE merchant_orders RENAME TO orders_away`
  await expect(once()).rejects.toThrow('merchant_orders')
  await sql`ALTER TABLE orders_away RENAME TO merchant_orders`
  // Lines before the place wait for the next pass.
  await sql`
    UPDATE merchant_orders SET at = '2024-01-01'
    WHERE merchant_id = (SELECT place ->> 'merchant_id' FROM purges WHERE name = 'orders')
      AND order_id = (SELECT max(order_id) FROM merchant_orders
                      WHERE merchant_id = (SELECT place ->> 'merchant_id' FROM purges WHERE name = 'orders'))`
  expect(await purgeOrders(sql, YEAR_MS)).toBe(1699)
  expect(await purgeOrders(sql, YEAR_MS)).toBe(0)
  expect(await purge(YEAR_MS)).toBe(1)
  expect(await left()).toBe(0)
}, 60_000)
