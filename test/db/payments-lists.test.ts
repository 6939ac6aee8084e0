/** What the lists and matches of payments read, however many payments a merchant has. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { matchTransfers } from '../../db/chain/match-transfers.js'
import { inTransaction, type Transaction } from '../../db/connect.js'
import { listPayments, type PaymentFilter } from '../../db/payments/read-payments.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'

const PAYMENTS = 20_000
/** Most rows that a list of 20 may read. */
const FEW = 200

let stage: PaymentStage
let address: string
let addressId: string
beforeAll(async () => {
  stage = await startPaymentStage('bitcoin')
  const { sql } = stage.api.database
  const made = await stage.open({ user_reference: 'regular', amount: undefined })
  address = made.address
  const rare = await stage.open({ user_reference: 'rare' })
  await sql`UPDATE payments SET flags = '{late}', status = 'cancelled', ended_at = now() WHERE id = ${rare.payment_id}`
  const [row] = await sql<
    { address_id: string }[]
  >`SELECT address_id FROM payments WHERE id = ${made.payment_id}`
  addressId = row?.address_id ?? ''
  // Open payments that are over: one address and user have had all of them.
  await sql`
    INSERT INTO payments (id, merchant_id, user_reference, network, coin, decimals, address_id, payment_uri, checkout_token,
                          checkout_url, status, created_at, expires_at, updated_at, ended_at, wake_due, order_id)
    SELECT 'pay_z' || lpad(each::text, 8, '0'), ${stage.api.merchantId}, 'regular', 'bitcoin', 'btc', 8, ${addressId}, 'uri',
           'token ' || each, 'url', CASE each % 2 WHEN 0 THEN 'expired' ELSE 'confirmed' END, now() - interval '2 days',
           now() - interval '1 day', now(), CASE each % 2 WHEN 0 THEN now() END, false, 'order ' || each
    FROM generate_series(1, ${PAYMENTS}) each`
  await sql`ANALYZE payments`
})
afterAll(() => stage?.close())

/** Returns how many payments a query reads. */
async function read(work: (tx: Transaction) => Promise<unknown>): Promise<number> {
  return inTransaction(stage.api.database.sql, async (tx) => {
    const count = async () => {
      const [row] = await tx<{ read: number }[]>`
        SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::integer AS read FROM pg_stat_xact_user_tables
        WHERE relname = 'payments'`
      return row?.read ?? 0
    }
    const before = await count()
    await work(tx)
    return (await count()) - before
  })
}

test.each<[string, () => PaymentFilter, number]>([
  ['a flag', () => ({ flag: 'late' }), 1],
  ['a status', () => ({ status: 'cancelled' }), 1],
  ['a status and a flag', () => ({ status: 'cancelled', flag: 'late' }), 1],
  ['an address', () => ({ address, network: 'bitcoin' }), 20],
  ['an address alone', () => ({ address }), 20],
  ['an unknown address', () => ({ address: 'none' }), 0],
  ['an order', () => ({ orderId: 'order 1' }), 1],
  ['nothing', () => ({}), 20],
])('reads few payments for a list by %s', async (_what, filter, found) => {
  let rows = 0
  const count = await read(async (tx) => {
    rows = (await listPayments(tx, stage.api.merchantId, filter(), { before: null, offset: 0, take: 20 }))
      .length
  })
  expect(rows).toBe(found)
  expect(count).toBeLessThanOrEqual(FEW)
})

test('reads few payments to match a transfer to a user who has had very many', async () => {
  const { sql } = stage.api.database
  const [row] = await sql<{ payee: string }[]>`
    SELECT encode(payee, 'hex') AS payee FROM addresses WHERE id = ${addressId}`
  const transfer = { txid: 'a', index: 0, coin: 'btc', amount: 1n, payee: row?.payee ?? '' }
  let matched = 0
  const count = await read(async (tx) => {
    const [match] = await matchTransfers(tx, 'bitcoin', [transfer as never])
    matched = match?.address.payments.length ?? 0
  })
  expect(matched).toBe(1)
  expect(count).toBeLessThanOrEqual(FEW)
})
