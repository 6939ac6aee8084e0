/** How many rows lists and searches read, of a merchant who has very many: no more at any depth or for any filter. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { fillAccount, fillLists, idOf, LARGE, timeOf } from '../../bench/many-rows.js'
import { listAudit } from '../../db/audit/list-audit.js'
import { getBalances } from '../../db/books/balances/get-balances.js'
import { totalsByAddress, totalsByUser } from '../../db/books/balances/get-totals.js'
import { readSettlement } from '../../db/books/reports/read-settlement.js'
import { listTransfers } from '../../db/books/transfers/list-transfers.js'
import { inTransaction, type Transaction } from '../../db/connect.js'
import { listDeposits } from '../../db/deposits/list-deposits.js'
import { listEvents } from '../../db/events/log/list-events.js'
import { listBatches } from '../../db/payouts/batches/list-batches.js'
import { listMovements } from '../../db/payouts/movements/list-movements.js'
import { listSchedules } from '../../db/payouts/schedules/list-schedules.js'
import { listWithdrawals } from '../../db/payouts/withdrawals/list-withdrawals.js'
import type { Slice } from '../../db/slice.js'
import { listAddresses } from '../../db/wallets/list-addresses.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'

const ROWS = 60_000
const TENTH = ROWS / 10
const PAGE = 20
/** Most rows that a page of 20 may read, in all tables together. */
const FEW = 260
/** Most accounts that a page of totals may read: each of its 20 users has two, and the older one is looked up. */
const FEW_ACCOUNTS = 400
/** Most rows that a page of a range of times may read. At its end it reads the rows of five minutes, one a second. */
const FEW_AT_END = FEW + 300

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
  await fillLists(database.sql, ROWS)
}, 300_000)
afterAll(() => database?.drop())

/** Returns how many rows a query reads from all tables. */
async function read(work: (tx: Transaction) => Promise<unknown>): Promise<number> {
  return inTransaction(database.sql, async (tx) => {
    const count = async () => {
      const [row] = await tx<{ read: number }[]>`
        SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer AS read FROM pg_stat_xact_user_tables`
      return row?.read ?? 0
    }
    const before = await count()
    await work(tx)
    return (await count()) - before
  })
}

type List = (tx: Transaction, slice: Slice) => Promise<readonly unknown[]>
const first: Slice = { before: null, offset: 0, take: PAGE }
const deep = (prefix: string, number: number): Slice => ({ ...first, before: idOf(prefix, number) })

const deposits =
  (filter: Parameters<typeof listDeposits>[2]): List =>
  (tx, slice) =>
    listDeposits(tx, LARGE, filter, slice)
const withdrawals =
  (filter: Parameters<typeof listWithdrawals>[2]): List =>
  (tx, slice) =>
    listWithdrawals(tx, LARGE, filter, slice)
const movements =
  (filter: Parameters<typeof listMovements>[2]): List =>
  (tx, slice) =>
    listMovements(tx, LARGE, filter, slice)
const batches =
  (filter: Parameters<typeof listBatches>[2]): List =>
  (tx, slice) =>
    listBatches(tx, LARGE, filter, slice)
const transfers =
  (filter: Parameters<typeof listTransfers>[2]): List =>
  (tx, slice) =>
    listTransfers(tx, LARGE, filter, slice)
const addresses =
  (filter: Parameters<typeof listAddresses>[2]): List =>
  (tx, slice) =>
    listAddresses(tx, LARGE, filter, slice)
const audit =
  (filter: Parameters<typeof listAudit>[2]): List =>
  (tx, slice) =>
    listAudit(tx, LARGE, filter, slice)

const hash = 'c4ca4238a0b923820dcc509a6f75849bc4ca4238a0b923820dcc509a6f75849b'
const half = ROWS / 2
const early = { from: timeOf(100), to: timeOf(5_000) }

test.each<[string, List, Slice, number]>([
  ['deposits', deposits({}), first, PAGE],
  ['deposits, deep', deposits({}), deep('dep', half), PAGE],
  ['deposits of a user', deposits({ userReference: 'user-7' }), first, PAGE],
  ['deposits of a user, deep', deposits({ userReference: 'user-7' }), deep('dep', half), PAGE],
  ['deposits of a rare user', deposits({ userReference: 'rare' }), first, 3],
  ['deposits of a rare network', deposits({ network: 'litecoin' }), first, 3],
  ['deposits of a rare coin', deposits({ coin: 'ltc' }), first, 3],
  ['deposits of a rare rail', deposits({ network: 'litecoin', coin: 'ltc' }), first, 3],
  ['deposits of a network, deep', deposits({ network: 'bitcoin' }), deep('dep', half), PAGE],
  ['deposits of a rare status', deposits({ status: 'held' }), first, 3],
  ['deposits of no status', deposits({ status: 'replaced' }), first, 0],
  ['credited deposits, deep', deposits({ status: 'success' }), deep('dep', half), PAGE],
  ['deposits of an address', deposits({ address: 'address-9' }), first, 10],
  ['deposits of an unknown address', deposits({ address: 'none' }), first, 0],
  ['deposits of a transaction', deposits({ transactionHash: hash }), first, 1],
  ['deposits of a payment', deposits({ paymentId: 'pay_7' }), first, 1],
  ['deposits of early days', deposits(early), first, PAGE],
  ['withdrawals', withdrawals({}), first, PAGE],
  ['withdrawals, deep', withdrawals({}), deep('withdrawal', half), PAGE],
  ['withdrawals of a user, deep', withdrawals({ userReference: 'user-7' }), deep('withdrawal', half), PAGE],
  ['withdrawals of a rare user', withdrawals({ userReference: 'rare' }), first, 3],
  ['withdrawals of a rare network', withdrawals({ network: 'litecoin' }), first, 3],
  ['withdrawals of a rare coin', withdrawals({ coin: 'ltc' }), first, 3],
  ['withdrawals of a rare status', withdrawals({ status: 'pending' }), first, 3],
  ['withdrawals of no status', withdrawals({ status: 'cancelled' }), first, 0],
  ['confirmed withdrawals, deep', withdrawals({ status: 'confirmed' }), deep('withdrawal', half), PAGE],
  ['a withdrawal by external id', withdrawals({ externalId: 'withdrawal9' }), first, 1],
  ['withdrawals of early days', withdrawals(early), first, PAGE],
  ['movements, deep', movements({}), deep('mov', TENTH / 2), PAGE],
  ['movements of a rare kind', movements({ kind: 'rebalance' }), first, 3],
  ['movements of a rare network', movements({ network: 'litecoin' }), first, 3],
  ['movements of a rare status', movements({ status: 'pending' }), first, 3],
  ['batches, deep', batches({}), deep('batch', TENTH / 2), PAGE],
  ['batches of a rare status', batches({ status: 'failed' }), first, 3],
  ['batches of a rare user', batches({ userReference: 'rare' }), first, 3],
  ['batches of a rare coin', batches({ coin: 'ltc' }), first, 3],
  ['a batch by external id', batches({ externalId: 'batch9' }), first, 1],
  ['transfers', transfers({}), first, PAGE],
  ['transfers, deep', transfers({}), deep('trf', half), PAGE],
  ['transfers of a sender, deep', transfers({ userReference: 'user-7' }), deep('trf', half), PAGE],
  ['transfers of a recipient, deep', transfers({ userReference: 'shop-3' }), deep('trf', half), PAGE],
  ['transfers of a rare coin', transfers({ coin: 'ltc' }), first, 3],
  ['a transfer by external id', transfers({ externalId: 'transfer9' }), first, 1],
  ['transfers of early days', transfers(early), first, PAGE],
  ['addresses, deep', addresses({}), deep('addr', TENTH / 2), PAGE],
  ['addresses of a user', addresses({ user_reference: 'user-7' }), first, 6],
  ['addresses of a rare network', addresses({ network: 'litecoin' }), first, 3],
  ['an address', addresses({ address: 'address-9' }), first, 1],
  ['the audit log, deep', audit({}), { ...first, before: String(half) }, PAGE],
  ['the audit log of a subject', audit({ subject: 'dep_9' }), first, 1],
  ['the audit log of a rare actor', audit({ actor: 'person:rare' }), first, 3],
  ['the audit log of a rare action', audit({ action: 'rare.done' }), first, 3],
  ['events, deep', (tx) => listEvents(tx, LARGE, BigInt(half), PAGE), first, PAGE],
  ['schedules', (tx, slice) => listSchedules(tx, LARGE, {}, slice), first, 0],
])('reads few rows for a page of %s', async (what, list, slice, found) => {
  let rows = -1
  const count = await read(async (tx) => {
    rows = (await list(tx, slice)).length
  })
  expect(rows).toBe(found)
  expect(count).toBeLessThanOrEqual(what.endsWith('of early days') ? FEW_AT_END : FEW)
})

test('reads no more rows for balances of long ago than for those of now, but for the hours around them', async () => {
  await fillAccount(database.sql, ROWS)
  let available: bigint | undefined
  const asOf = timeOf(half)
  const count = await read(async (tx) => {
    const balances = await getBalances(tx, { merchantId: LARGE, ownAccount: true, asOf })
    available = balances.find((balance) => balance.coin === 'btc')?.available
  })
  expect(available).toBe(BigInt(half))
  // The deposits of the hours before are read twice: one a second in this database.
  expect(count).toBeLessThanOrEqual(2 * 6.2 * 3_600 + FEW)
  const ofUser = await read((tx) => getBalances(tx, { merchantId: LARGE, userReference: 'rare', asOf }))
  expect(ofUser).toBeLessThanOrEqual(FEW)
})

test('reads few accounts for a page of totals', async () => {
  const { sql } = database
  await sql`
    INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner)
    SELECT ${LARGE}, network, coin, kind, CASE kind WHEN 'chain' THEN 'addr-' ELSE 'user-' END || n
    FROM generate_series(1, 5000) n, (VALUES ('bitcoin', 'btc'), ('litecoin', 'ltc')) rail (network, coin),
         (VALUES ('available'), ('reserved'), ('chain')) kinds (kind)`
  await sql`ANALYZE`
  const [middle] = await sql<
    { id: bigint }[]
  >`SELECT id FROM ledger_accounts WHERE owner = 'user-2500' LIMIT 1`
  const slices = [first, { ...first, before: String(middle?.id) }]
  for (const slice of slices) {
    for (const scope of [{}, { network: 'litecoin', coin: 'ltc' }]) {
      for (const list of [totalsByUser, totalsByAddress]) {
        const count = await read((tx) => list(tx, { merchantId: LARGE, ...scope }, slice))
        expect(count, `${list.name} ${JSON.stringify(scope)} ${slice.before}`).toBeLessThanOrEqual(
          FEW_ACCOUNTS,
        )
      }
    }
  }
  const one = await read((tx) => totalsByUser(tx, { merchantId: LARGE, userReference: 'user-9' }, first))
  expect(one).toBeLessThanOrEqual(FEW)
})

test('reads the accounts of then alone for balances of a whole merchant long ago, and for a float', async () => {
  const asOf = timeOf(10)
  const [{ accounts } = { accounts: 0 }] = await database.sql<{ accounts: number }[]>`
    SELECT count(*)::int AS accounts FROM ledger_accounts WHERE merchant_id = ${LARGE}`
  expect(accounts).toBeGreaterThan(20_000)
  for (const scope of [{}, { depositAddresses: true }]) {
    const count = await read((tx) => getBalances(tx, { merchantId: LARGE, ...scope, asOf }))
    // The deposits of the minutes around are read twice: one a second in this database.
    expect(count).toBeLessThanOrEqual(2 * 311 + FEW)
  }
  // The report reads the deposits of its month: in this database those of 26 minutes, one a second, and of the hours before.
  const month = { from: new Date('2023-11-14T22:13:20Z'), to: new Date('2023-11-14T22:40:00Z') }
  const rows = await read((tx) => readSettlement(tx, LARGE, month))
  expect(rows).toBeLessThanOrEqual(3 * 1_900 + FEW)
})
