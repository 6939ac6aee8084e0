/** Streamed exports over HTTP: every dataset, its filters and windows, one snapshot, and readers that misbehave. */

import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createExportStreams } from '../../api/books/export-streams.js'
import { listen } from '../../api/http/listen.js'
import { postJournal } from '../../db/books/ledger/post-journal.js'
import type { Transaction } from '../../db/connect.js'
import { readExport } from '../../db/exports/read-export.js'
import { settleTime } from '../../db/exports/settle-time.js'
import { EXPORT_DATASETS } from '../../domain/books/export-dataset.js'
import { parseAmount } from '../../domain/money.js'
import type { LedgerEntry } from '../../wire/export.js'
import { fillLedger } from '../stage/fill-ledger.js'
import { parseCsv, readCsv } from '../stage/parse-csv.js'
import { type Stage, startStage } from '../stage/start-stage.js'
import { type ApiKeyPair, signedHeaders } from '../stage/test-api.js'
import { testNetworks } from '../stage/test-networks.js'
import { sealOnce } from '../support/seal-once.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
const FORMULA = '=HYPERLINK("http://evil.example","a, b")'
const ETH = 10n ** 18n
const ANCIENT = '2020-01-01'
const DETECTED_AT = [
  '2020-01-01T00:00:00Z',
  '2020-01-01T12:00:00.123456Z',
  '2020-01-01T23:59:59.999999Z',
  '2020-01-02T00:00:00Z',
]
/** Ids of deposits, which begin with their time as those of the platform do. */
const DEPOSITS = DETECTED_AT.map(
  (at, index) => `dep_${Date.parse(at).toString(16).padStart(12, '0')}${String(index).padStart(20, '0')}`,
)

let stage: Stage
let address: { id: string; address: string }
let server: Awaited<ReturnType<typeof listen>>
let base: string
beforeAll(async () => {
  stage = await startStage({
    networks,
    environment: { KEYTURN_EXPORT_STALL: '5s', KEYTURN_EXPORT_DEADLINE: '60s' },
  })
  const { api } = stage
  const { sql } = api.database
  server = await listen(api.app, { host: '127.0.0.1', port: 0 })
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await stage.credit('ethereum', 'eth', '', 5n * ETH)
  await stage.credit('ethereum', 'eth', FORMULA, 5n * ETH)
  const made = await api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: FORMULA, network: 'ethereum', label: '@label' },
  })
  address = made.json.data
  for (const [index, at] of DETECTED_AT.entries()) {
    await sql`
      INSERT INTO deposits (id, merchant_id, network, coin, address_id, user_reference, txid, output_index, amount, status,
                            epoch, required_confirmations, sources, destinations, history, detected_at, updated_at)
      VALUES (${DEPOSITS[index] ?? ''}, ${api.merchantId}, 'ethereum', 'usdt', ${address.id}, ${FORMULA}, ${`0xab${index}`}, 1,
              2500000, ${index === 0 ? 'held' : 'success'}, 0, 1, '[]', '[]', '[]', ${at}::text::timestamptz, now())`
  }
  await stage.request({
    network: 'ethereum',
    coin: 'eth',
    amount: '0.50',
    to_address: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
    user_reference: FORMULA,
    external_id: '+41',
    metadata: { note: '-1, "two"' },
  })
  await api.call({
    method: 'POST',
    path: '/api/v1/payments',
    body: {
      user_reference: FORMULA,
      network: 'ethereum',
      coin: 'eth',
      amount: '1',
      order_id: '-7',
      quote: {
        currency: 'EUR',
        amount: '49.90',
        rate: '61250.10',
        source: '@kraken',
        at: '2026-11-01T10:00:00Z',
      },
      tolerance: { percent: '0.50', absolute: '0.0010' },
    },
  })
  const moved = await api.call({
    method: 'POST',
    path: '/api/v1/transfers',
    body: {
      from_user_reference: FORMULA,
      to_user_reference: null,
      network: 'ethereum',
      coin: 'eth',
      amount: '0.25',
      reason: '-refund',
    },
  })
  expect(moved.status, JSON.stringify(moved.json)).toBe(201)
  while (await sealOnce(sql, null));
})
afterAll(async () => {
  server?.closeAllConnections()
  server?.close()
  await stage?.close()
})

async function get(path: string, key?: ApiKeyPair) {
  const answer = await stage.api.call({ path: `/api/v1/exports/${path}`, ...(key ? { key } : {}) })
  return { ...answer, text: answer.json as string }
}
async function csv(path: string) {
  const { status, text } = await get(path)
  expect(status, JSON.stringify(text)).toBe(200)
  return readCsv(text)
}
async function ndjson(path: string) {
  const { status, text } = await get(`${path}${path.includes('?') ? '&' : '?'}format=ndjson`)
  expect(status, JSON.stringify(text)).toBe(200)
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}
/** Opens a stream over a socket. */
const open = (path: string) =>
  fetch(base + path, { headers: signedHeaders(stage.api.key, { path, method: 'GET', body: '' }) })

test.each(['deposits', 'withdrawals', 'transfers'])(
  'exports the same objects of %s as the list shows',
  async (dataset) => {
    const { json } = await stage.api.call({ path: `/api/v1/${dataset}?limit=100` })
    expect(json.data.length).toBeGreaterThan(0)
    // The list is newest first.
    expect(await ndjson(dataset)).toEqual(json.data.toReversed())
  },
)

test('exports payments as the list shows them, and quote and tolerance also by the names of their columns', async () => {
  const { json } = await stage.api.call({ path: '/api/v1/payments?limit=100' })
  const lines = await ndjson('payments')
  expect(lines).toHaveLength(json.data.length)
  expect(lines).toMatchObject(json.data.toReversed())
  expect(lines[0]).toMatchObject({
    quote: { rate: '61250.10' },
    quote_currency: 'EUR',
    quote_amount: '49.90',
    quote_rate: '61250.10',
    quote_source: '@kraken',
    quote_at: '2026-11-01T10:00:00Z',
    tolerance_percent: '0.50',
    tolerance_absolute: '0.0010',
  })
})

test('exports the audit log and the events as their lists have them', async () => {
  const audit = await stage.api.call({ path: '/api/v1/audit-log?limit=100' })
  expect(await ndjson('audit')).toEqual(audit.json.data.toReversed())
  const events = await stage.api.call({ path: '/api/v1/events?limit=100' })
  expect(await ndjson('events')).toEqual(events.json.data)
  const [line] = await csv('events')
  expect(line).toMatchObject({ sequence: '1', id: events.json.data[0].id, event: events.json.data[0].event })
  expect(JSON.parse(line?.data ?? '')).toEqual(events.json.data[0].data)
})

test('answers with a head line, CRLF and the headers of a file', async () => {
  const { text, headers } = await get('deposits')
  expect(headers.get('content-type')).toBe('text/csv; charset=utf-8')
  expect(headers.get('content-disposition')).toBe('attachment; filename="keyturn-deposits.csv"')
  expect(text.split('\r\n')[0]).toMatch(/^id,status,network,coin,amount,user_reference,address,/)
  expect(parseCsv(text)).toHaveLength(5)
  const none = await get('deposits?user_reference=stranger')
  expect(parseCsv(none.text)).toHaveLength(1)
  const other = await get('deposits?format=ndjson')
  expect(other.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8')
})

test('neutralises text cells and leaves numbers', async () => {
  const [withdrawal] = await csv('withdrawals')
  expect(withdrawal).toMatchObject({ user_reference: `'${FORMULA}`, external_id: "'+41", amount: '0.50' })
  expect(JSON.parse(withdrawal?.metadata ?? '')).toEqual({ note: '-1, "two"' })
  const [payment] = await csv('payments')
  expect(payment).toMatchObject({
    order_id: "'-7",
    amount: '1',
    quote_currency: 'EUR',
    quote_amount: '49.90',
    quote_rate: '61250.10',
    quote_source: "'@kraken",
    quote_at: '2026-11-01T10:00:00Z',
    tolerance_percent: '0.50',
    tolerance_absolute: '0.0010',
  })
  const [deposit] = await csv('deposits')
  expect(deposit).toMatchObject({ amount: '2.5', address_label: "'@label", user_reference: `'${FORMULA}` })
  const credited = (await csv('ledger')).find((line) => line.account?.includes('HYPERLINK'))
  expect(credited).toMatchObject({ account: `available:${FORMULA}`, amount: '-5', balance_after: '-5' })
})

test('includes the begin of a window and excludes its end, to the microsecond', async () => {
  const ids = async (query: string) => (await ndjson(`deposits?${query}`)).map(({ id }) => id)
  expect(await ids('from_date=2020-01-01&to_date=2020-01-02')).toEqual(DEPOSITS.slice(0, 3))
  expect(await ids('from_date=2020-01-02&to_date=2020-01-03')).toEqual(DEPOSITS.slice(3))
  expect(await ids('to_date=2020-01-01')).toEqual([])
  expect(await ids('from_date=2020-01-01T12:00:00Z')).toEqual(DEPOSITS.slice(1))
  expect(await ids('from_date=2020-01-02&to_date=2020-01-01')).toEqual([])
})

test('narrows by the filters of the list', async () => {
  expect(await ndjson('deposits?status=held')).toHaveLength(1)
  expect(await ndjson(`deposits?address=${address.address.toLowerCase()}`)).toHaveLength(4)
  expect(await ndjson('deposits?transaction_hash=0XAB2')).toHaveLength(1)
  expect(await ndjson('withdrawals?status=pending&external_id=%2B41')).toHaveLength(1)
  expect(await ndjson('withdrawals?status=confirmed')).toHaveLength(0)
  expect(await ndjson(`payments?order_id=-7&address=${(await ndjson('payments'))[0].address}`)).toHaveLength(
    1,
  )
  expect(await ndjson('payments?flag=late')).toHaveLength(0)
  expect((await ndjson('events?event=payment.status_changed')).map(({ event }) => event)).toEqual([
    'payment.status_changed',
  ])
  expect(await ndjson(`events?to_date=${ANCIENT}`)).toHaveLength(0)
  expect(await ndjson(`audit?from_date=${ANCIENT}&action=payment.created`)).not.toHaveLength(0)
})

test.each([
  ['deposits?order_id=1', 'order_id'],
  ['deposits?limit=5', 'limit'],
  ['deposits?status=%27%3B%20DROP%20TABLE%20deposits', 'status'],
  ['ledger?account=equity', 'account'],
  ['ledger?from_date=yesterday', 'from_date'],
  ['audit?network=bitcoin', 'network'],
  ['payments?format=xlsx', 'format'],
])('refuses %s and names the field', async (path, field) => {
  const { status, json } = await get(path)
  expect(status).toBe(400)
  expect(json.error).toMatchObject({
    code: 'VALIDATION_FAILED',
    details: { in: 'query', fields: [{ path: field }] },
  })
})

test('treats SQL in a filter as a text', async () => {
  expect(await ndjson(`ledger?reference=${encodeURIComponent("x' OR '1'='1")}`)).toEqual([])
  expect(await ndjson(`ledger?account=${encodeURIComponent("available:' OR true --")}`)).toEqual([])
})

test('answers 404 for an unknown dataset, and 403 without the scope', async () => {
  expect((await get('secrets')).json.error).toMatchObject({ code: 'NOT_FOUND' })
  const key = await stage.api.newKey({ scopes: ['payments'] })
  expect((await get('ledger', key)).json.error).toMatchObject({ code: 'INSUFFICIENT_SCOPE' })
})

test('shows another merchant nothing', async () => {
  const key = await stage.api.newKey({ merchantId: await stage.api.newMerchant(), scopes: ['read'] })
  for (const dataset of EXPORT_DATASETS) {
    expect(parseCsv((await get(dataset, key)).text), dataset).toHaveLength(1)
  }
})

test('answers HEAD without reading rows', async () => {
  const path = '/api/v1/exports/ledger'
  for (let each = 0; each < 5; each++) {
    const answer = await fetch(base + path, {
      method: 'HEAD',
      headers: signedHeaders(stage.api.key, { path, method: 'HEAD', body: '' }),
    })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8')
  }
  expect(await reading()).toBe(0)
})

/** Posts journals of one merchant in several loops, all on shared accounts. */
async function write(loops: number, journals: number, stopped = () => false) {
  const { sql } = stage.api.database
  let posted = 0
  await Promise.all(
    Array.from({ length: loops }, async (_, loop) => {
      for (let each = 0; each < journals && !stopped(); each++) {
        const amount = BigInt(1 + (each % 7))
        const entry = (kind: 'chain' | 'available', owner: string, units: bigint) =>
          ({ network: 'bitcoin', coin: 'btc', kind, owner, amount: units }) as const
        await sql.begin((tx) =>
          postJournal(tx, {
            merchantId: stage.api.merchantId,
            idempotencyKey: `write ${loop} ${each} ${Math.random()}`,
            type: 'test',
            reference: `loop ${loop}`,
            entries: [
              entry('chain', `addr_${each % 3}`, amount),
              entry('available', `writer-${loop}`, -amount),
            ],
          }),
        )
        posted++
      }
    }),
  )
  return posted
}

/** Checks that lines are whole journals without a gap, whose balances follow from one another. */
function checkLedger(lines: readonly LedgerEntry[], first = 1): void {
  const decimals = (coin: string) => ({ btc: 8, usdt: 6 })[coin] ?? 18
  const units = (line: LedgerEntry, text: string) =>
    text.startsWith('-')
      ? -parseAmount(text.slice(1), decimals(line.coin))
      : parseAmount(text, decimals(line.coin))
  const balances = new Map<string, bigint>()
  const journals = new Map<string, bigint>()
  lines.forEach((line, index) => {
    expect(line.sequence).toBe(first + index)
    const account = `${line.network} ${line.coin} ${line.account}`
    const before = balances.get(account)
    if (before !== undefined || first === 1) {
      expect(units(line, line.balance_after)).toBe((before ?? 0n) + units(line, line.amount))
    }
    balances.set(account, units(line, line.balance_after))
    const journal = `${line.journal_id} ${line.network} ${line.coin}`
    journals.set(journal, (journals.get(journal) ?? 0n) + units(line, line.amount))
  })
  expect([...journals.values()].filter((sum) => sum !== 0n)).toEqual([])
}

test('reads fewer rows at once where they are large, also where only some are, and every row once', async () => {
  const { sql } = stage.api.database
  const merchantId = await stage.api.newMerchant()
  // 700 events, of which the second half holds 60 kB each.
  await sql`
    INSERT INTO events (id, merchant_id, type, subject, occurred_at, data, sequence, body)
    SELECT ${`${merchantId}_`} || n, ${merchantId}, 'webhook.test', 'x', now(), '{"endpoint_id":"x","message":"x","schema_version":"2026-11-28"}', n,
           convert_to('{"data":"' || repeat('x', CASE WHEN n > 350 THEN 60000 ELSE 100 END) || '"}', 'UTF8')
    FROM generate_series(1, 700) n`
  const pages: { rows: number; length: number; last: bigint | null }[] = []
  await readExport(
    sql,
    networks,
    { merchantId, dataset: 'events', format: 'ndjson', filters: {} },
    {
      selection: { after: 0n, asOf: null, lastSequence: null },
      limits: { statementMs: 60_000, idleMs: 60_000 },
      take: async ({ text, rows, sequence }) => {
        pages.push({ rows, length: text.length, last: sequence })
      },
    },
  )
  expect(pages.reduce((sum, { rows }) => sum + rows, 0)).toBe(700)
  expect(pages.at(-1)?.last).toBe(700n)
  // At most the page at which they begin and the one that was being read then are longer.
  expect(pages.filter(({ length }) => length > 1_100_000).length).toBeLessThanOrEqual(2)
  expect(pages.slice(-10).every(({ rows }) => rows <= 17)).toBe(true)
})

test('exports every entry once, whole journals alone, while journals are posted', async () => {
  let stop = false
  const writing = write(4, 10_000, () => stop)
  const exports: LedgerEntry[][] = []
  try {
    for (let round = 0; round < 4; round++) exports.push(await ndjson('ledger'))
  } finally {
    stop = true
  }
  await writing
  exports.push(await ndjson('ledger'))
  for (const lines of exports) checkLedger(lines)
  const last = exports.at(-1) ?? []
  const [row] = await stage.api.database.sql<{ count: bigint }[]>`
    SELECT count(*)::bigint AS count FROM ledger_entries
    JOIN ledger_accounts account ON account.id = account_id WHERE account.merchant_id = ${stage.api.merchantId}`
  expect(last).toHaveLength(Number(row?.count))
  // A line keeps its sequence in every later export.
  for (const lines of exports) expect(last.slice(0, lines.length)).toEqual(lines)
  expect(exports[0]?.length).toBeLessThan(last.length)
})

test('keeps sequence and balance of a line where filters and windows leave out others', async () => {
  const all: LedgerEntry[] = await ndjson('ledger')
  const own = all.filter(({ account }) => account === 'available:writer-1')
  expect(await ndjson('ledger?account=available:writer-1')).toEqual(own)
  expect(await ndjson('ledger?user_reference=writer-1')).toEqual(own)
  expect(await ndjson('ledger?account=chain&network=bitcoin')).toEqual(
    all.filter(({ account, network }) => account.startsWith('chain') && network === 'bitcoin'),
  )
  expect(await ndjson('ledger?reference=loop%201')).toEqual(
    all.filter(({ reference }) => reference === 'loop 1'),
  )
  const middle = all[Math.floor(all.length / 2)]?.recorded_at ?? ''
  const before = all.filter(({ recorded_at }) => recorded_at < middle)
  expect(await ndjson(`ledger?to_date=${middle}`)).toEqual(before)
  const after = await ndjson(`ledger?from_date=${middle}`)
  expect(after).toEqual(all.slice(before.length))
  checkLedger(after, before.length + 1)
})

/** Returns how many exports the database reads for. */
async function reading(): Promise<number> {
  const [row] = await stage.api.database.sql<{ count: number }[]>`
    SELECT count(*)::integer AS count FROM pg_stat_activity
    WHERE datname = current_database() AND xact_start IS NOT NULL AND query LIKE 'FETCH % FROM export_rows'`
  return row?.count ?? 0
}
async function untilReading(count: number, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs
  while ((await reading()) !== count) {
    if (Date.now() > deadline)
      throw new Error(`The database reads for ${await reading()} exports, not ${count}`)
    await sleep(50)
  }
}

test('cuts the stream of a reader that takes nothing, and frees its slot', async () => {
  await fillLedger(stage.api.database.sql, stage.api.merchantId, 60_000)
  const before = process.memoryUsage().arrayBuffers
  const path = '/api/v1/exports/ledger?format=ndjson'
  const headers = Object.entries(signedHeaders(stage.api.key, { path, method: 'GET', body: '' }))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let closed = false
  socket.on('close', () => {
    closed = true
  })
  socket.on('error', () => {})
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  )
  socket.pause()
  await untilReading(1, 10_000)
  // What waits in this process stays small, although the file has more than 20 MB.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000)
  await untilReading(0, 20_000)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.resume()
  while (!closed) await sleep(50)
  expect(text).toContain('HTTP/1.1 200')
  // The last chunk is missing, by which a reader notices.
  expect(text.endsWith('0\r\n\r\n')).toBe(false)
  expect(text).not.toContain('Error')
})

test('ends the query when the reader has gone', async () => {
  const answer = await open('/api/v1/exports/ledger')
  const reader = answer.body?.getReader()
  await reader?.read()
  expect(await reading()).toBe(1)
  await reader?.cancel()
  await untilReading(0, 10_000)
})

test('reports a stream that fails midway by breaking it off', async () => {
  const answer = await open('/api/v1/exports/ledger')
  const reader = answer.body?.getReader()
  await reader?.read()
  await stage.api.database.sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'FETCH % FROM export_rows'`
  await expect(
    (async () => {
      while (!(await reader?.read())?.done);
    })(),
  ).rejects.toThrow()
  await untilReading(0, 10_000)
})

test('refuses more streams of a merchant than its limit, and serves another merchant', async () => {
  const answers = await Promise.all([open('/api/v1/exports/ledger'), open('/api/v1/exports/ledger')])
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  const readers = answers.map(({ body }) => body?.getReader())
  const refused = await get('audit')
  expect(refused.status).toBe(429)
  expect(refused.json.error).toMatchObject({ code: 'RATE_LIMITED', details: { retry_after: 10 } })
  expect(refused.headers.get('retry-after')).toBe('10')
  const key = await stage.api.newKey({ merchantId: await stage.api.newMerchant(), scopes: ['read'] })
  expect((await get('ledger', key)).status).toBe(200)
  await Promise.all(readers.map((reader) => reader?.cancel()))
  await untilReading(0, 10_000)
  expect((await get('audit')).status).toBe(200)
})

/** Locks a table whose export then waits before its first row. @returns A function that unlocks it. */
async function blockTransfers(): Promise<() => Promise<void>> {
  const holder = await stage.api.database.sql.reserve()
  await holder`BEGIN`
  await holder`LOCK TABLE transfers IN ACCESS EXCLUSIVE MODE`
  let held = true
  return async () => {
    if (!held) return
    held = false
    await holder`ROLLBACK`
    holder.release()
  }
}
async function blocked(): Promise<number> {
  const [row] = await stage.api.database.sql<{ count: number }[]>`
    SELECT count(*)::integer AS count FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%export_rows%'`
  return row?.count ?? 0
}
async function untilBlocked(count: number): Promise<void> {
  const deadline = Date.now() + 10_000
  while ((await blocked()) !== count) {
    if (Date.now() > deadline) throw new Error(`${await blocked()} exports wait for the lock, not ${count}`)
    await sleep(20)
  }
}
const ofTransfers = (merchantId: string) =>
  ({ merchantId, dataset: 'transfers', format: 'csv', filters: {} }) as const

test('refuses an export whose deadline comes before its first row, and advises a job', async () => {
  const { dependencies } = stage.api
  const environment = { ...dependencies.environment, KEYTURN_EXPORT_DEADLINE: 300 }
  const streams = createExportStreams({ ...dependencies, environment })
  const unblock = await blockTransfers()
  try {
    await expect(streams.open(ofTransfers(stage.api.merchantId))).rejects.toMatchObject({
      code: 'DEPENDENCY_UNAVAILABLE',
      message: expect.stringContaining('create an export job'),
    })
    await untilBlocked(0)
  } finally {
    await unblock()
  }
})

test('ends the query when the reader leaves before the first row', async () => {
  const unblock = await blockTransfers()
  try {
    const path = '/api/v1/exports/transfers'
    const leaving = new AbortController()
    const asked = fetch(base + path, {
      headers: signedHeaders(stage.api.key, { path, method: 'GET', body: '' }),
      signal: leaving.signal,
    })
    await untilBlocked(1)
    leaving.abort()
    await expect(asked).rejects.toThrow()
    await untilBlocked(0)
  } finally {
    await unblock()
  }
})

test('leaves other merchants room while a few take all the streams that they may', async () => {
  const streams = createExportStreams(stage.api.dependencies)
  const merchants = await Promise.all(Array.from({ length: 10 }, () => stage.api.newMerchant()))
  const [first = '', second = '', third = '', ...others] = merchants
  const open = async (merchantId: string) => streams.open(ofTransfers(merchantId))
  const unblock = await blockTransfers()
  try {
    const opened = [first, first, second, second, third, third].map(open)
    // From here each merchant gets one stream alone.
    for (const merchantId of others.slice(0, 6)) opened.push(open(merchantId))
    await expect(open(first)).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    await expect(open(others[0] ?? '')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    // All are taken.
    await expect(open(others[6] ?? '')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    await unblock()
    for (const stream of await Promise.all(opened)) await new Response(stream).text()
  } finally {
    await unblock()
  }
  expect(parseCsv(await new Response(await open(others[6] ?? '')).text())).toHaveLength(1)
})

/** Begins a transaction that posts for a merchant. @returns The function that commits it. */
async function beginPosting(merchantId: string, key: string, owner = 'open'): Promise<() => Promise<void>> {
  const posting = await stage.api.database.sql.reserve()
  await posting`BEGIN`
  const entry = { network: 'bitcoin', coin: 'btc' } as const
  await postJournal(posting as unknown as Transaction, {
    merchantId,
    idempotencyKey: key,
    type: 'test',
    reference: key,
    entries: [
      { ...entry, kind: 'chain', owner: `addr_${owner}`, amount: 5n },
      { ...entry, kind: 'available', owner, amount: -5n },
    ],
  })
  return async () => {
    await posting`COMMIT`
    posting.release()
  }
}

test('waits for a posting that begins after the time of the ledger was taken', async () => {
  const { database, merchantId } = stage.api
  const { sql } = database
  let statements = 0
  let commit = async () => {}
  /** Begins a transaction that posts, right after the first statement. */
  const watched = new Proxy(sql, {
    apply: async (target, self, given) => {
      const rows = await Reflect.apply(target, self, given)
      statements += 1
      if (statements === 1) commit = await beginPosting(merchantId, 'begun after the time')
      return rows
    },
  })
  expect(await settleTime(watched, merchantId, 100)).toMatchObject({ settled: false })
  await commit()
  expect(await settleTime(sql, merchantId, 1_000)).toMatchObject({ settled: true })
})

test('takes a time above those of the postings that it waited for, and waits for no later one', async () => {
  const { database, merchantId } = stage.api
  const { sql } = database
  const commit = await beginPosting(merchantId, 'open before')
  const settling = settleTime(sql, merchantId, 10_000)
  await sleep(200)
  const later = await beginPosting(merchantId, 'open later', 'later')
  await commit()
  const { asOf, settled } = await settling
  expect(settled).toBe(true)
  const [row] = await sql<{ before: boolean }[]>`
    SELECT max(entry.recorded_at) < ${asOf}::text::timestamptz AS before
    FROM ledger_entries entry JOIN ledger_journals journal ON journal.id = entry.journal_id
    WHERE journal.reference = 'open before'`
  expect(row?.before).toBe(true)
  await later()
})

test('does not wait for a long transaction of another merchant, nor for one that posts nothing', async () => {
  const { sql } = stage.api.database
  const commit = await beginPosting(await stage.api.newMerchant(), 'long')
  const writing = await sql.reserve()
  await writing`BEGIN`
  await writing`SELECT pg_current_xact_id()`
  const begun = Date.now()
  expect(await settleTime(sql, stage.api.merchantId, 10_000)).toMatchObject({ settled: true })
  expect(Date.now() - begun).toBeLessThan(5_000)
  await writing`ROLLBACK`
  writing.release()
  await commit()
})
