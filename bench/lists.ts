/** Measures pages of lists of ten million rows: a deep one beside the first, narrow filters, and balances of the past. */

import { getBalances } from '../db/books/balances/get-balances.js'
import { listTransfers } from '../db/books/transfers/list-transfers.js'
import { listDeposits } from '../db/deposits/list-deposits.js'
import { listWithdrawals } from '../db/payouts/withdrawals/list-withdrawals.js'
import type { Slice } from '../db/slice.js'
import { alternate } from './alternate.js'
import type { BenchContext } from './context.js'
import { fillAccount, fillLists, idOf, LARGE, timeOf } from './many-rows.js'
import { type Measurement, rate } from './measurement.js'

/** Rows of all lists together, unless `BENCH_ROWS` says otherwise. A quick run takes a million. */
const ROWS = 10_000_000
/** Rows of all lists for each row of the large ones, and of the ledger. */
const LISTS = 6.4
const PAGE = 20
const ROUNDS = 5
const SECONDS = 1
/** Smallest expected ratio of a deep page to the first one: it costs at most half as much again. */
const EXPECTED = 1 / 1.5

/** Measures one page at a time, on one connection. */
export async function benchLists(context: BenchContext): Promise<Measurement[]> {
  const { sql } = await context.database({ max: 4 })
  const rows = Math.round(Number(process.env.BENCH_ROWS ?? ROWS) / LISTS)
  context.progress(`  … ${rows.toLocaleString('en')} rows of each large list`)
  const began = performance.now()
  await fillLists(sql, rows)
  await fillAccount(sql, rows)
  await sql`VACUUM (ANALYZE)`
  const [size] = await sql<{ text: string }[]>`
    SELECT pg_size_pretty(pg_database_size(current_database())) AS text`
  context.progress(`  ${size?.text} in ${Math.round((performance.now() - began) / 1_000)} s`)
  const first: Slice = { before: null, offset: 0, take: PAGE }
  const deep = (prefix: string): Slice => ({ ...first, before: idOf(prefix, Math.round(rows / 2)) })
  const lines: Measurement[] = []
  const compare = async (
    name: string,
    against: string,
    ours: Page,
    reference: Page,
    expected: number | null,
  ) => {
    const run = (side: Page) => () => rate(SECONDS, 1, async () => void (await side()))
    lines.push({
      name,
      unit: 'pages/s',
      against,
      expected,
      ...(await alternate(ROUNDS, run(ours), run(reference))),
    })
  }
  const deposits = (filter: Parameters<typeof listDeposits>[2], slice: Slice) => () =>
    listDeposits(sql, LARGE, filter, slice)
  const withdrawals = (filter: Parameters<typeof listWithdrawals>[2], slice: Slice) => () =>
    listWithdrawals(sql, LARGE, filter, slice)
  const transfers = (filter: Parameters<typeof listTransfers>[2], slice: Slice) => () =>
    listTransfers(sql, LARGE, filter, slice)
  const page = deposits({}, first)
  await compare('deposits, deep page', 'first page', deposits({}, deep('dep')), page, EXPECTED)
  const ofUser = { userReference: 'user-7' }
  await compare('deposits of a user, deep page', 'first page', deposits(ofUser, deep('dep')), page, EXPECTED)
  await compare('deposits of a rare status', 'first page', deposits({ status: 'held' }, first), page, null)
  await compare(
    'deposits of a rare network',
    'first page',
    deposits({ network: 'litecoin' }, first),
    page,
    null,
  )
  await compare('deposits of an address', 'first page', deposits({ address: 'address-9' }, first), page, null)
  await compare(
    'withdrawals, deep page',
    'first page',
    withdrawals({}, deep('withdrawal')),
    withdrawals({}, first),
    EXPECTED,
  )
  await compare(
    'transfers, deep page',
    'first page',
    transfers({}, deep('trf')),
    transfers({}, first),
    EXPECTED,
  )
  const asOf = timeOf(Math.round(rows / 2))
  const balances = (more: object) => () => getBalances(sql, { merchantId: LARGE, ...more })
  await compare(
    'balances of a user, as of long ago',
    'now',
    balances({ ...ofUser, asOf }),
    balances(ofUser),
    null,
  )
  await compare('balances of the merchant, as of long ago', 'now', balances({ asOf }), balances({}), null)
  return lines
}

type Page = () => Promise<unknown>
