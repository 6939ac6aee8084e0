/** Statements of months, over HTTP: they add up, follow each other, and equal the balances of their ends. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { postJournal } from '../../../db/books/ledger/post-journal.js'
import { reverseJournal } from '../../../db/books/ledger/reverse-journal.js'
import { monthOf, periodAfter, periodAt } from '../../../domain/books/period.js'
import { parseAmount } from '../../../domain/money.js'
import type { Statement, StatementLine } from '../../../wire/statement.js'
import { createRandom } from '../../fault/random.js'
import { dateJournals } from '../../stage/date-journals.js'
import { parseCsv } from '../../stage/parse-csv.js'
import { startTestApi, type TestApi } from '../../stage/test-api.js'

const ASSET = { network: 'bitcoin', coin: 'btc' }
const THIS = periodAt(new Date())
/** The three months before this one, which is the fourth. */
const MONTHS = [3, 2, 1, 0].map((back) => periodAfter(THIS, -back))
let api: TestApi
let posted = 0

beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api?.database.drop())

const read = (period: string, key = api.key) => api.call({ path: `/api/v1/statements/${period}`, key })
async function statementOf(period: string): Promise<Statement> {
  const { status, json } = await read(period)
  expect(status).toBe(200)
  return json.data
}
const btcOf = ({ lines }: Statement): StatementLine => {
  const line = lines.find(({ network }) => network === 'bitcoin')
  if (!line) throw new Error('There is no line')
  return line
}

/** Posts a journal of bitcoin. Amounts are in base units by `kind:owner`. */
async function post(
  type: string,
  entries: Record<string, bigint>,
  { fee, height = null }: { fee?: bigint; height?: number | null } = {},
): Promise<bigint> {
  const { sql } = api.database
  const { journalId } = await postJournal(
    sql,
    {
      merchantId: api.merchantId,
      idempotencyKey: `test:${++posted}`,
      type,
      reference: `test-${posted}`,
      height,
      ...(fee === undefined ? {} : { fees: { btc: fee } }),
      entries: Object.entries(entries).map(([account, amount]) => {
        const [kind, owner = ''] = account.split(':')
        return { ...ASSET, kind: kind as 'chain', owner, amount }
      }),
    },
    { allowOverdraft: true },
  )
  return journalId
}
const reverse = async (journalId: bigint) =>
  (
    await api.database.sql.begin((tx) =>
      reverseJournal(tx, {
        merchantId: api.merchantId,
        journalId,
        idempotencyKey: `undo:${journalId}`,
        type: 'deposit.reverted',
        reference: 'test',
      }),
    )
  ).journalId

test('adds up random months, each opening as the one before closed, and closes as the balances of its end', async () => {
  const { between } = createRandom(20_261_129)
  const random = () => between(0, 999_999) / 1_000_000
  const start = monthOf(MONTHS[0] as string).from.getTime()
  const end = Date.now() - 60_000
  const count = 160
  const instants = Array.from({ length: count }, () => start + Math.floor(random() * (end - start)))
  // The instants at the edges of months belong to the month that begins.
  for (const month of MONTHS.slice(1))
    instants.push(monthOf(month).from.getTime(), monthOf(month).from.getTime() - 1)
  instants.sort((a, b) => a - b)
  const times = new Map<bigint, Date>()
  const expected = new Map(MONTHS.map((month) => [month, { in: 0n, out: 0n, fees: 0n, adjustments: 0n }]))
  const deposits: { journal: bigint; amount: bigint }[] = []
  for (const instant of instants) {
    const sums = expected.get(periodAt(new Date(instant)))
    if (!sums) throw new Error('The instant is in no month')
    const address = `a${Math.floor(random() * 3)}`
    const amount = BigInt(1 + Math.floor(random() * 1e9))
    const user = `u${Math.floor(random() * 3)}`
    const kind = random()
    let journal: bigint
    if (kind < 0.4) {
      journal = await post('deposit.confirmed', {
        [`chain:${address}`]: amount,
        [`reserved:${user}`]: -amount,
      })
      deposits.push({ journal, amount })
      sums.in += amount
    } else if (kind < 0.7) {
      const [fee, change] = [amount / 100n, amount / 3n]
      journal = await post(
        'withdrawal.settled',
        {
          [`chain:${address}`]: -(amount + fee + change),
          'chain:change': change,
          [`available:${user}`]: amount + fee,
        },
        { fee },
      )
      sums.out += amount
      sums.fees += fee
    } else if (kind < 0.8 && deposits.length > 0) {
      const [taken] = deposits.splice(Math.floor(random() * deposits.length), 1)
      if (!taken) throw new Error('no deposit')
      journal = await reverse(taken.journal)
      sums.adjustments -= taken.amount
    } else if (kind < 0.9) {
      journal = await post('transfer', { 'available:u1': amount, 'available:u2': -amount })
    } else {
      journal = await post('balance_fall.booked', { [`chain:${address}`]: -amount, available: amount })
      sums.adjustments -= amount
    }
    times.set(journal, new Date(instant))
  }
  await dateJournals(api.database.sql, times)

  let opening = 0n
  for (const month of MONTHS) {
    const statement = await statementOf(month)
    const line = btcOf(statement)
    const units = (text: string) =>
      text.startsWith('-') ? -parseAmount(text.slice(1), 8) : parseAmount(text, 8)
    const sums = expected.get(month)
    expect({
      in: units(line.in),
      out: units(line.out),
      fees: units(line.fees),
      adjustments: units(line.adjustments),
      transfers: line.transfers,
      opening: units(line.opening),
    }).toEqual({ ...sums, transfers: '0', opening })
    opening = units(line.closing)
    const last = new Date(Math.min(monthOf(month).to.getTime() - 1, Date.now()))
    const { json } = await api.call({
      path: `/api/v1/balances?network=bitcoin&coin=btc&as_of=${last.toISOString()}`,
    })
    expect([month, json.data[0].blockchain]).toEqual([month, line.closing])
    expect(statement.provisional).toBe(true)
  }
  const now = await api.call({ path: '/api/v1/balances?network=bitcoin&coin=btc' })
  expect(now.json.data[0].blockchain).toBe(btcOf(await statementOf(THIS)).closing)
})

test('lists every enabled coin with zeros, and shows nothing of another merchant', async () => {
  const stranger = await api.newKey({ merchantId: await api.newMerchant() })
  const { json } = await read(THIS, stranger)
  expect(json.data.lines.length).toBeGreaterThan(1)
  for (const line of json.data.lines as StatementLine[]) {
    const { network, coin, ...amounts } = line
    expect([network, coin, ...new Set(Object.values(amounts))]).toEqual([network, coin, '0'])
  }
})

test('names the newest final block of each network, now and at the end of a month that has ended', async () => {
  const { sql } = api.database
  const edge = monthOf(THIS).from.getTime()
  const minutes = (count: number) => new Date(edge + count * 60_000)
  for (let height = 0; height <= 20; height++)
    await sql`
      INSERT INTO chain_blocks (network, height, hash, parent_hash, time)
      VALUES ('bitcoin', ${height}, ${`hash-${height}`}, ${`hash-${height - 1}`}, ${minutes(height - 10)})`
  await sql`INSERT INTO chain_cursors (network, height, block_hash, head_height) VALUES ('bitcoin', 20, 'hash-20', 20)`
  const depth = (api.dependencies.networks.get('bitcoin')?.confirmations ?? 0) - 1
  const blocks = async (period: string) => (await statementOf(period)).proof
  const block = (height: number) => [
    { network: 'bitcoin', block_number: height, block_hash: `hash-${height}` },
  ]
  expect(await blocks(THIS)).toEqual(block(20 - depth))
  expect(await blocks(MONTHS[2] as string)).toEqual(block(9 - depth))

  // What was booked before the end lies at or below the block, and what was booked later lies above it.
  const early = await post(
    'deposit.confirmed',
    { 'chain:a8': 5n, 'reserved:u8': -5n },
    { height: 11 - depth },
  )
  await dateJournals(sql, new Map([[early, minutes(-1)]]))
  expect(await blocks(MONTHS[2] as string)).toEqual(block(11 - depth))
  const late = await post('deposit.confirmed', { 'chain:a9': 5n, 'reserved:u9': -5n }, { height: 9 - depth })
  await dateJournals(sql, new Map([[late, minutes(1)]]))
  expect(await blocks(MONTHS[2] as string)).toEqual(block(8 - depth))
})

test('writes a file whose head names period, status and blocks, and neutralises the name of the merchant', async () => {
  const { sql } = api.database
  await sql`UPDATE merchants SET name = '=cmd|"x",' WHERE id = ${api.merchantId}`
  const { status, headers, json: text } = await api.call({ path: `/api/v1/statements/${THIS}?format=csv` })
  expect(status).toBe(200)
  expect(headers.get('content-type')).toMatch(/^text\/csv/)
  expect(headers.get('content-disposition')).toContain(`keyturn-statement-${THIS}.csv`)
  const lines = parseCsv(text)
  const from = lines.findIndex(([first]) => first === 'network')
  const statement = await statementOf(THIS)
  expect(lines.slice(0, from)).toEqual([
    ['statement', THIS],
    ['status', 'provisional'],
    ['merchant', api.merchantId, `'=cmd|"x",`],
    ['window', statement.from, statement.to],
    ...statement.proof.map((block) => ['proof', block.network, String(block.block_number), block.block_hash]),
  ])
  expect(lines[from]).toEqual([
    'network',
    'coin',
    'opening',
    'in',
    'out',
    'fees',
    'transfers',
    'adjustments',
    'closing',
  ])
  expect(lines.slice(from + 1)).toEqual(statement.lines.map((line) => Object.values(line)))
})

test('refuses a month that has not begun or is none, and a format that it cannot write', async () => {
  expect((await read(periodAfter(THIS))).json.error.code).toBe('NOT_FOUND')
  for (const path of ['2026-13', '2026', '1969-12', `${THIS}?format=xls`, `${THIS}?unknown=1`])
    expect([path, (await read(path)).status]).toEqual([path, 400])
})
