/** Measures the export of a million ledger rows, beside COPY of the same rows, and the memory of the API. */

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { Pool } from 'undici'
import { signRequest } from '../client/sign-request.js'
import { createApiKey } from '../db/access/create-api-key.js'
import type { Sql } from '../db/connect.js'
import { alternate } from './alternate.js'
import { MASTER_KEY, startApiProcess } from './api.js'
import type { BenchContext } from './context.js'
import { fillJournals } from './fill-journals.js'
import type { Measurement } from './measurement.js'
import { createBenchMerchant } from './merchant.js'

const JOURNALS = 500_000
const ENTRIES = 2 * JOURNALS
const ROUNDS = 4
/** Exports of a tenth of the rows, which warm the process up before its memory is read. */
const SMALL = 20
/** Smallest expected share of the peak memory of an export of a tenth of the rows. */
const EXPECTED_MEMORY = 0.8

/** Measures CSV and NDJSON over HTTP. The API is a process of its own; the reader drops what it reads. */
export async function benchExports(context: BenchContext): Promise<Measurement[]> {
  const { sql, url } = await context.database()
  const merchant = await createBenchMerchant(sql)
  const key = await createApiKey(sql, MASTER_KEY, {
    merchantId: merchant.id,
    name: 'bench',
    scopes: ['read'],
    ipAllowlist: [],
    rateLimitPerMinute: 1_000_000,
  })
  context.progress(`  ${ENTRIES} entries`)
  await fillJournals(sql, merchant.id, JOURNALS)
  const { port, pid } = await startApiProcess(context, url)
  const pool = new Pool(`http://127.0.0.1:${port}`, { headersTimeout: 0, bodyTimeout: 0 })
  context.onEnd(() => pool.destroy())

  /** Exports once. @returns Rows a second. */
  const run = async (query: string, rows = ENTRIES): Promise<number> => {
    const path = `/api/v1/exports/ledger?${query}`
    const headers = signRequest({
      apiKey: key.id,
      apiSecret: key.secret,
      method: 'GET',
      path,
      body: new Uint8Array(),
    })
    const began = performance.now()
    const { statusCode, body } = await pool.request({ path, method: 'GET', headers })
    let lines = 0
    for await (const chunk of body) for (const byte of chunk as Buffer) if (byte === 10) lines++
    if (statusCode !== 200 || lines < rows) throw new Error(`HTTP ${statusCode}, ${lines} lines`)
    return (rows * 1_000) / (performance.now() - began)
  }

  // The order matters: the peak of a process never falls.
  for (let each = 0; each < SMALL; each++) await run('format=ndjson&to_date=2026-01-02', ENTRIES / 10)
  const small = await peakMemory(pid)
  const ndjson = await alternate(
    ROUNDS,
    () => run('format=ndjson'),
    () => copy(sql, merchant.id),
  )
  const csv = await alternate(
    ROUNDS,
    () => run('format=csv'),
    () => copy(sql, merchant.id),
  )
  const large = await peakMemory(pid)
  return [
    {
      name: 'ledger of 1 M rows as NDJSON',
      unit: 'rows/s',
      against: 'COPY of the same rows',
      expected: null,
      ...ndjson,
    },
    { name: 'the same as CSV', unit: 'rows/s', against: 'COPY of the same rows', expected: null, ...csv },
    {
      name: 'peak memory of the API, exports of 1 M rows',
      unit: 'MB',
      ours: large,
      against: 'an export of 100,000',
      reference: small,
      ratio: small / large,
      expected: EXPECTED_MEMORY,
    },
  ]
}

/** Copies the same rows in the same order out of the database. @returns Rows a second. */
async function copy(sql: Sql, merchantId: string): Promise<number> {
  const began = performance.now()
  const rows = await sql
    .unsafe(
      `COPY (
        SELECT row_number() OVER (ORDER BY entry.recorded_at, entry.account_id, entry.account_version), entry.journal_id,
               entry.recorded_at, journal.type, account.kind, account.owner, account.network, account.coin, entry.amount,
               entry.balance_after, journal.reference
        FROM ledger_accounts account JOIN ledger_entries entry ON entry.account_id = account.id
        JOIN ledger_journals journal ON journal.id = entry.journal_id
        WHERE account.merchant_id = '${merchantId}'
      ) TO STDOUT (FORMAT csv)`,
    )
    .readable()
  let lines = 0
  // An iterator pauses the connection now and then, and the driver does not always resume it.
  rows.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) lines++
  })
  await once(rows, 'end')
  if (lines !== ENTRIES) throw new Error(`COPY gave ${lines} lines`)
  return (lines * 1_000) / (performance.now() - began)
}

/** Returns the largest resident memory that a process has had, in MB. */
export async function peakMemory(pid: number): Promise<number> {
  const [, kilobytes = ''] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1_000
}
