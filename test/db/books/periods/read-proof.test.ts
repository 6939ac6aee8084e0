/** The block with which the books of an instant agree, for each kind of change of what lies on addresses, booked early or late. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { readProof } from '../../../../db/books/periods/read-proof.js'
import { monthOf, periodAfter, periodAt } from '../../../../domain/books/period.js'
import { type Books, openBooks } from '../../../stage/open-books.js'
import { startTestApi, type TestApi } from '../../../stage/test-api.js'

const THIS = monthOf(periodAt(new Date()))
/** Block of the first minute of this month. */
const FIRST = 1_000
const HEAD = 1_020
const minutes = (count: number) => new Date(THIS.from.getTime() + count * 60_000)

let api: TestApi
/** Height of the block that was final at the end of last month. */
let final: number
beforeAll(async () => {
  api = await startTestApi()
  const { sql } = api.database
  await sql`
    INSERT INTO chain_blocks (network, height, hash, parent_hash, time)
    SELECT 'bitcoin', height, 'hash-' || height, 'hash-' || height - 1,
           ${THIS.from}::timestamptz + (height - ${FIRST}) * interval '1 minute'
    FROM generate_series(0, ${HEAD}) height`
  await sql`
    INSERT INTO chain_cursors (network, height, block_hash, head_height)
    VALUES ('bitcoin', ${HEAD}, ${`hash-${HEAD}`}, ${HEAD})`
  final = FIRST - (api.dependencies.networks.get('bitcoin')?.confirmations ?? 0)
})
afterAll(() => api?.database.drop())

let books: Books
beforeEach(async () => {
  books = await openBooks(api, monthOf(periodAfter(periodAt(new Date()), -1)).from)
})

/** Returns the height of the block that proves last month. */
async function proven(): Promise<number | undefined> {
  const { networks } = api.dependencies
  const [block] = await readProof(api.database.sql, networks, books.merchantId, THIS.from, false)
  return block?.block_number
}

test.each([
  'deposit.confirmed',
  'withdrawal.settled',
  'withdrawal.cancelled',
  'foreign_spend.booked',
  'balance_fall.booked',
  'exception.written_off',
  'one.that_nobody_posts_yet',
])('moves the block to the bookings of %s on addresses', async (type) => {
  const change = { 'chain:a1': -1_000n, available: 1_000n }
  expect(await proven()).toBe(final)
  await books.post(type, change, { height: final + 3, at: minutes(-1) })
  expect(await proven()).toBe(final + 3)
  await books.post(type, change, { height: final + 2, at: minutes(1) })
  expect(await proven()).toBe(final + 1)
  await books.post(type, change, { height: final - 4, at: minutes(2) })
  expect(await proven()).toBe(final - 5)
})

test('counts a write-off from the block after the one that was scanned last', async () => {
  await books.post('exception.written_off', { 'chain:a1': -1_000n, available: 1_000n }, { at: minutes(-1) })
  expect(await proven()).toBe(HEAD)
})

test('leaves the block where it is for bookings that concern no address, and for those that were taken back', async () => {
  await books.post(
    'withdrawal.held',
    { 'available:ann': 5n, 'reserved:ann': -5n },
    { height: final + 3, at: minutes(-1) },
  )
  await books.post(
    'transfer',
    { 'available:ann': 5n, 'available:ben': -5n },
    { height: final - 3, at: minutes(1) },
  )
  expect(await proven()).toBe(final)
  const deposit = { 'chain:a1': 7n, 'available:ann': -7n }
  await books.reverse(await books.post('deposit.confirmed', deposit, { height: final - 3, at: minutes(1) }))
  expect(await proven()).toBe(final)
})

test('counts coins without a transaction that were credited in time, and moves nothing for those credited later', async () => {
  const credit = { 'chain:a1': 7n, 'available:ann': -7n }
  await books.post('deposit.rise_booked', credit, { height: final - 3, at: minutes(1) })
  expect(await proven()).toBe(final)
  await books.post('deposit.rise_booked', credit, { height: final + 3, at: minutes(-1) })
  expect(await proven()).toBe(final + 3)
})

test('finds what was booked however many blocks early or late', async () => {
  const { sql } = api.database
  const deposit = { 'chain:a1': 7n, 'available:ann': -7n }
  await books.post('deposit.confirmed', deposit, { height: final - 500, at: minutes(30) })
  expect(await proven()).toBe(final - 501)
  // What a closed month had counted is an adjustment, and moves nothing.
  await sql`
    INSERT INTO ledger_fences (merchant_id, closed_until, heights)
    VALUES (${books.merchantId}, ${minutes(-1_000)}, ${sql.json({ bitcoin: final - 500 })})`
  expect(await proven()).toBe(final)
})

test('takes the time of the entries, which a posting gets when it has locked its accounts', async () => {
  const { sql } = api.database
  const settled = await books.post(
    'withdrawal.settled',
    { 'chain:a1': -7n, 'reserved:ann': 7n },
    { height: final - 1, at: minutes(1) },
  )
  await sql.begin(async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`UPDATE ledger_journals SET recorded_at = ${minutes(-1)} WHERE id = ${settled}`
  })
  expect(await proven()).toBe(final - 2)
})
