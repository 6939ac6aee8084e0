/** Each filter of the list of payments reads about as many rows as it shows, among many that are newer. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { listPayments, type PaymentFilter } from '../../db/payments/read-payments.js'
import { PAYMENT_FLAGS } from '../../domain/payments/payment-status.js'
import { merchantWith } from '../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'

/** Payments of a merchant: the oldest ones have what few have, and all others are alike. */
const MANY = 100_000
const RARE = 40
const PAGE = 20
/** Rows that a list may read: those of its page, once to find and once to show them, and a few to compare. */
const MOST = 3 * PAGE

const TIMES = ['first page', ...Array.from({ length: 7 }, () => 'again'), 'last page']

let database: TestDatabase
let merchantId: string
let rareAddress: string

beforeAll(async () => {
  // One connection, so that its statistics are complete and its plans stay.
  database = await freshDatabase({ max: 1 })
  const { sql } = database
  const merchant = await merchantWith(sql)
  merchantId = merchant.id
  const [common, rare] = [
    await merchant.address('bitcoin', 'common'),
    await merchant.address('bitcoin', 'rare'),
  ]
  rareAddress = rare.address
  await sql`
    INSERT INTO known_coins (network, name, decimals, dust)
    SELECT network, coin, 8, 0 FROM (VALUES ('bitcoin', 'btc'), ('ethereum', 'eth'), ('ethereum', 'usdt'), ('litecoin', 'ltc'),
      ('polygon', 'usdt'), ('tron', 'btc')) AS rail (network, coin)`
  // Row n was created n seconds after the first. Rows 1 to RARE are rare in every way, and the others have each
  // network and each coin with another one beside them.
  await sql`
    INSERT INTO payments (id, merchant_id, user_reference, network, coin, decimals, address_id, order_id, payment_uri,
      checkout_token, checkout_url, status, flags, created_at, expires_at, updated_at, ended_at, wake_due)
    SELECT 'pay_' || lpad(to_hex(n), 32, '0'), ${merchantId}, CASE WHEN rare THEN 'rare' ELSE 'common' END,
      CASE WHEN NOT rare THEN CASE WHEN n % 2 = 0 THEN 'ethereum' ELSE 'polygon' END
           WHEN n % 2 = 0 THEN 'litecoin' ELSE 'ethereum' END,
      CASE WHEN NOT rare THEN CASE WHEN n % 2 = 0 THEN 'eth' ELSE 'usdt' END
           WHEN n % 2 = 0 THEN 'ltc' ELSE 'usdt' END,
      8, CASE WHEN rare THEN ${rare.id} ELSE ${common.id} END, CASE WHEN rare THEN 'rare' ELSE 'common' END, '', n::text, '',
      CASE WHEN rare THEN 'expired' ELSE 'confirmed' END,
      CASE WHEN rare THEN ARRAY['underpaid', 'overpaid', 'late', 'reorged', 'wrong_coin', 'reissued'] ELSE ARRAY['multiple_deposits'] END,
      at, at + interval '1 hour', at, CASE WHEN rare THEN at END, false
    FROM (SELECT n, n <= ${RARE} AS rare, timestamptz '2026-01-01' + n * interval '1 second' AS at
          FROM generate_series(1, ${MANY}) n) AS row`
  await sql`ANALYZE payments`
}, 120_000)
afterAll(() => database?.drop())

/** Counts the rows of payments that a call reads, by the statistics of the database. */
async function rowsRead(call: () => Promise<unknown>): Promise<number> {
  const count = async () => {
    await database.sql`SELECT pg_stat_force_next_flush()`
    const [row] = await database.sql<{ rows: bigint }[]>`
      SELECT seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_user_tables WHERE relname = 'payments'`
    return Number(row?.rows)
  }
  const before = await count()
  await call()
  return (await count()) - before
}

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1_000)

test.each<[string, () => PaymentFilter]>([
  ['nothing', () => ({})],
  ['status', () => ({ status: 'expired' })],
  ['order', () => ({ orderId: 'rare' })],
  ['user', () => ({ userReference: 'rare' })],
  ['address', () => ({ address: rareAddress })],
  ['a rare network', () => ({ network: 'litecoin' })],
  ['a rare coin', () => ({ coin: 'ltc' })],
  [
    'a common network and a common coin, which few have together',
    () => ({ network: 'ethereum', coin: 'usdt' }),
  ],
  ['a common network', () => ({ network: 'ethereum' })],
  ['a common coin', () => ({ coin: 'usdt' })],
  ['a network that none has', () => ({ network: 'bitcoin' })],
  ['the oldest days', () => ({ to: at(RARE + 1) })],
  ['days in between', () => ({ from: at(100), to: at(150) })],
  ['the newest days', () => ({ from: at(MANY - 40) })],
  ...PAYMENT_FLAGS.map((flag): [string, () => PaymentFilter] => [`the flag ${flag}`, () => ({ flag })]),
])('reads no more than a few pages of rows for %s, on every page', async (_what, filter) => {
  let before: string | null = null
  for (const time of TIMES) {
    let ids: string[] = []
    const read = await rowsRead(async () => {
      const rows = await listPayments(database.sql, merchantId, filter(), { before, offset: 0, take: PAGE })
      ids = rows.map((row) => row.payment_id)
    })
    expect(read).toBeLessThanOrEqual(MOST)
    expect(ids).toEqual(ids.toSorted().toReversed())
    if (before !== null) for (const id of ids) expect(id < before).toBe(true)
    // The same page again, until the database could have chosen a plan for any parameters.
    if (time !== 'again') before = ids.at(-1) ?? before
  }
})

test.each<[string, PaymentFilter, number]>([
  ['a network', { network: 'litecoin' }, RARE / 2],
  ['a coin', { coin: 'ltc' }, RARE / 2],
  ['both', { network: 'ethereum', coin: 'usdt' }, RARE / 2],
  ['a window', { to: at(RARE + 1) }, RARE],
  ['a flag', { flag: 'reorged' }, RARE],
  ['a flag of a window', { flag: 'reorged', from: at(10), to: at(20) }, 10],
  ['a status of a network', { status: 'expired', network: 'litecoin' }, RARE / 2],
])('lists all that match %s, page by page', async (_what, filter, expected) => {
  const ids: string[] = []
  for (let page = 0; page * 7 <= expected; page++) {
    const slice = { before: ids.at(-1) ?? null, offset: 0, take: 7 }
    const rows = await listPayments(database.sql, merchantId, filter, slice)
    const skipped = await listPayments(database.sql, merchantId, filter, {
      before: null,
      offset: page * 7,
      take: 7,
    })
    expect(skipped.map((row) => row.payment_id)).toEqual(rows.map((row) => row.payment_id))
    ids.push(...rows.map((row) => row.payment_id))
  }
  expect(new Set(ids).size).toBe(expected)
  expect(ids).toEqual(ids.toSorted().toReversed())
})

test('begins no page within dates after a payment of another merchant', async () => {
  const other = await merchantWith(database.sql)
  const slice = { before: `pay_${(50).toString(16).padStart(32, '0')}`, offset: 0, take: PAGE }
  const filter = { from: at(0) }
  expect(await listPayments(database.sql, merchantId, filter, slice)).toHaveLength(PAGE)
  const address = await other.address('bitcoin', 'user')
  await database.sql`
    INSERT INTO payments (id, merchant_id, user_reference, network, coin, decimals, address_id, order_id, payment_uri,
      checkout_token, checkout_url, status, flags, created_at, expires_at, updated_at, wake_due)
    SELECT 'pay_' || repeat('0', 32), ${other.id}, 'user', 'bitcoin', 'btc', 8, ${address.id}, 'own', '', 'own', '', 'pending',
      '{}', ${at(1)}, ${at(2)}, ${at(1)}, false`
  expect(await listPayments(database.sql, other.id, filter, { ...slice, before: null })).toHaveLength(1)
  expect(await listPayments(database.sql, other.id, filter, slice)).toEqual([])
})
