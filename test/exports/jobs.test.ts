/** Export jobs: files with manifests and links, resumption after a kill, limits, and strangers. */

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { MockActivityEnvironment } from '@temporalio/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExportActivities, type ExportDependencies } from '../../activities/books/export-job.js'
import { listen } from '../../api/http/listen.js'
import { postJournal } from '../../db/books/ledger/post-journal.js'
import type { Transaction } from '../../db/connect.js'
import { unstartedExports } from '../../db/exports/jobs/job-start.js'
import { purgeExports } from '../../db/exports/jobs/purge-exports.js'
import { claimExport, finishExport, LostExportError, storePart } from '../../db/exports/jobs/run-job.js'
import { exportId } from '../../temporal/ids.js'
import { openExportLink, signExportLink } from '../../vault/export-link.js'
import type { ExportJob } from '../../wire/export.js'
import { fillLedger } from '../stage/fill-ledger.js'
import { recordedHistories, replayHistory, storeHistory } from '../stage/histories.js'
import { parseCsv, readCsv } from '../stage/parse-csv.js'
import { type ApiKeyPair, MASTER_KEY, startTestApi, type TestApi } from '../stage/test-api.js'
import { testNetworks } from '../stage/test-networks.js'
import { sealOnce } from '../support/seal-once.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'

const networks = testNetworks({ BITCOIN_ENABLED: 'true' })
const ENTRIES = 20_000
const MANY = 60

let api: TestApi
let server: Awaited<ReturnType<typeof listen>>
beforeAll(async () => {
  api = await startTestApi({ KEYTURN_EXPORT_STALL: '5s' }, { networks })
  // Links lead to the address that the API has by its environment, so their paths are read from this server.
  server = await listen(api.app, { host: '127.0.0.1', port: 0 })
  await api.enrol(api.merchantId)
  await fillLedger(api.database.sql, api.merchantId, ENTRIES)
})
afterAll(async () => {
  server?.closeAllConnections()
  server?.close()
  await api?.database.drop()
})

const create = async (body: object, key?: ApiKeyPair) =>
  api.call({ method: 'POST', path: '/api/v1/exports', body, ...(key ? { key } : {}) })
const read = async (id: string, key?: ApiKeyPair) =>
  api.call({ path: `/api/v1/exports/jobs/${id}`, ...(key ? { key } : {}) })

async function made(body: object): Promise<ExportJob> {
  const { status, json } = await create(body)
  expect(status, JSON.stringify(json)).toBe(201)
  return json.data
}
function activities(options: Partial<ExportDependencies> = {}) {
  return createExportActivities({
    sql: api.database.sql,
    networks,
    mostBytes: { merchant: 1e9, all: 1e9 },
    ...options,
  })
}
/** Runs the activity of a job to its end. @returns The job. */
async function run(id: string, options: Partial<ExportDependencies> = {}): Promise<ExportJob> {
  await new MockActivityEnvironment().run(activities(options).writeExport, id)
  return (await read(id)).json.data
}
/** Runs the activity until `parts` are stored, and lets it die there. */
async function runUntil(id: string, parts: number, partLength: number): Promise<void> {
  const environment = new MockActivityEnvironment()
  const writing = environment.run(activities({ partLength }).writeExport, id)
  const ended = writing.then(
    () => 'done',
    () => 'died',
  )
  for (;;) {
    const [row] = await api.database.sql<{ parts: number }[]>`SELECT parts FROM export_jobs WHERE id = ${id}`
    if ((row?.parts ?? 0) >= parts) break
    await sleep(1)
  }
  environment.cancel()
  expect(await ended).toBe('died')
}

interface Download {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}
/** Follows a link as it is, without decompression. */
function download(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Download> {
  const { port } = server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    const asked = request(
      { port, host: '127.0.0.1', path: new URL(url).pathname, method, headers },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        )
        response.on('error', reject)
      },
    )
    asked.on('error', reject)
    asked.end()
  })
}
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

test('writes a file that equals its manifest and the stream, and serves it whole, zipped and in parts', async () => {
  const queued = await made({ dataset: 'ledger', format: 'csv', filters: { account: 'chain' } })
  expect(queued).toMatchObject({
    status: 'queued',
    rows: 0,
    progress: 0,
    url: null,
    manifest: null,
    failure: null,
  })
  const job = await run(queued.id, { partLength: 300_000 })
  expect(job).toMatchObject({ status: 'done', rows: ENTRIES / 2, progress: 1, failure: null })
  const { body, status, headers } = await download(job.url ?? '')
  expect(status).toBe(200)
  expect(headers['content-type']).toBe('text/csv; charset=utf-8')
  expect(job.manifest).toEqual({ rows: ENTRIES / 2, bytes: body.length, sha256: sha256(body) })
  expect(readCsv(body.toString())).toHaveLength(ENTRIES / 2)
  const streamed = await api.call({ path: '/api/v1/exports/ledger?account=chain' })
  expect(body.toString()).toBe(streamed.json)

  const zipped = await download(job.url ?? '', { 'accept-encoding': 'br, gzip;q=0.5' })
  expect(zipped.headers).toMatchObject({
    'content-encoding': 'gzip',
    'content-length': String(zipped.body.length),
    vary: 'Accept-Encoding',
  })
  expect(zipped.body.length).toBeLessThan(body.length / 5)
  expect(gunzipSync(zipped.body).equals(body)).toBe(true)

  const head = await download(job.url ?? '', {}, 'HEAD')
  expect(head.headers['content-length']).toBe(String(body.length))
  expect(head.body).toHaveLength(0)
  for (const [range, begin, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=299990-600010', 299_990, 600_011],
    ['bytes=-7', body.length - 7, body.length],
    [`bytes=${body.length - 1}-`, body.length - 1, body.length],
  ] as const) {
    const part = await download(job.url ?? '', { range })
    expect(part.status, range).toBe(206)
    expect(part.body.equals(body.subarray(begin, end)), range).toBe(true)
    expect(part.headers['content-range']).toBe(`bytes ${begin}-${end - 1}/${body.length}`)
  }
  expect((await download(job.url ?? '', { range: `bytes=${body.length}-` })).status).toBe(416)
})

test('writes an empty export: the head alone as CSV, and nothing as NDJSON', async () => {
  for (const format of ['csv', 'ndjson']) {
    const job = await run((await made({ dataset: 'payments', format })).id)
    expect(job).toMatchObject({ status: 'done', rows: 0, progress: 1 })
    const { body } = await download(job.url ?? '')
    expect(job.manifest).toEqual({ rows: 0, bytes: body.length, sha256: sha256(body) })
    expect(parseCsv(format === 'csv' ? body.toString() : '')).toHaveLength(format === 'csv' ? 1 : 0)
    const zipped = await download(job.url ?? '', { 'accept-encoding': 'gzip' })
    expect(gunzipSync(zipped.body).equals(body)).toBe(true)
  }
})

/** Posts a journal of two entries. */
async function post(key: string): Promise<void> {
  await api.database.sql.begin((tx) => postOn(tx, key))
}

/** The same on a transaction that is open. */
async function postOn(tx: Transaction, key: string): Promise<void> {
  const entry = { network: 'bitcoin', coin: 'btc' } as const
  await postJournal(tx, {
    merchantId: api.merchantId,
    idempotencyKey: key,
    type: 'test',
    reference: key,
    entries: [
      { ...entry, kind: 'chain', owner: 'addr_1', amount: 5n },
      { ...entry, kind: 'available', owner: 'user', amount: -5n },
    ],
  })
}

test('goes on where it was killed, with the rows of its begin, although journals were posted before and after', async () => {
  await post('before')
  const { id } = await made({ dataset: 'ledger', format: 'ndjson' })
  await runUntil(id, 2, 200_000)
  const { sql } = api.database
  const stored = () => sql<{ number: number; hash: string }[]>`
    SELECT number, encode(sha256(body), 'hex') AS hash FROM export_parts WHERE export_id = ${id} ORDER BY number`
  const first = await stored()
  const half: ExportJob = (await read(id)).json.data
  expect(half.status).toBe('running')
  expect(half.rows).toBeGreaterThan(0)
  expect(half.progress).toBeCloseTo(half.rows / (ENTRIES + 2), 1)
  await post('meanwhile')
  const job = await run(id, { partLength: 200_000 })
  expect(job).toMatchObject({ status: 'done', rows: ENTRIES + 2 })
  // The parts of the first run are there as they were.
  expect((await stored()).slice(0, first.length)).toEqual([...first])
  const { body } = await download(job.url ?? '')
  expect(job.manifest?.sha256).toBe(sha256(body))
  const lines = body
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ sequence }) => sequence)).toEqual(lines.map((_, index) => index + 1))
  expect(lines.filter(({ reference }) => reference === 'before')).toHaveLength(2)
  expect(lines.filter(({ reference }) => reference === 'meanwhile')).toHaveLength(0)
})

test('waits for a posting that is under way when an export of the ledger begins', async () => {
  const { sql } = api.database
  const { id } = await made({ dataset: 'ledger', format: 'ndjson', filters: { reference: 'open' } })
  const posting = await sql.reserve()
  await posting`BEGIN`
  await postOn(posting as unknown as Transaction, 'open')
  const writing = run(id)
  await sleep(300)
  expect((await read(id)).json.data).toMatchObject({ status: 'running', rows: 0 })
  await posting`COMMIT`
  posting.release()
  // It was booked before the export began.
  expect(await writing).toMatchObject({ status: 'done', rows: 2 })
})

test('begins again with a new snapshot where rows may have changed', async () => {
  const { sql } = api.database
  const { json } = await api.call({
    method: 'POST',
    path: '/api/v1/payments',
    body: { user_reference: 'many', network: 'bitcoin', coin: 'btc' },
  })
  expect(json.success).toBe(true)
  await sql`
    INSERT INTO payments (id, merchant_id, user_reference, network, coin, decimals, address_id, payment_uri, checkout_token,
                          checkout_url, status, created_at, expires_at, updated_at, wake_due)
    SELECT 'pay_z' || lpad(each::text, 8, '0'), merchant_id, user_reference, network, coin, decimals, address_id, 'uri',
           'token ' || each, 'url', 'pending', now(), now() + interval '1 day', now(), false
    FROM payments, generate_series(1, 3000) each WHERE payments.id = ${json.data.payment_id}`
  const { id } = await made({ dataset: 'payments', format: 'ndjson', filters: { user_reference: 'many' } })
  await runUntil(id, 1, 100_000)
  await sql`UPDATE payments SET status = 'cancelled', ended_at = now() WHERE user_reference = 'many'`
  const job = await run(id)
  const { body } = await download(job.url ?? '')
  const lines = body
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(new Set(lines.map(({ payment_id }) => payment_id)).size).toBe(3_001)
  // No line is of the first snapshot.
  expect(new Set(lines.map(({ status }) => status))).toEqual(new Set(['cancelled']))
  expect(job.manifest).toEqual({ rows: 3_001, bytes: body.length, sha256: sha256(body) })
})

test('exports the audit log and events up to where they were', async () => {
  while (await sealOnce(api.database.sql, null));
  for (const dataset of ['audit', 'events']) {
    const job = await run((await made({ dataset, format: 'ndjson' })).id)
    const { body } = await download(job.url ?? '')
    expect(body.toString()).toBe((await api.call({ path: `/api/v1/exports/${dataset}?format=ndjson` })).json)
    expect(job.rows).toBeGreaterThan(0)
  }
})

test('lets only the last activity of a job write', async () => {
  const { id } = await made({ dataset: 'ledger', format: 'csv', filters: { account: 'chain', type: 'fill' } })
  const { sql } = api.database
  await runUntil(id, 1, 200_000)
  expect(await claimExport(sql, id)).toMatchObject({ run: 2, status: 'running' })
  const part = { body: Buffer.from('late'), bytes: 4, rows: 1, sequence: 99n }
  const late = { id, run: 1, merchant_id: api.merchantId }
  await expect(storePart(sql, late, part, { merchant: 1e9, all: 1e9 })).rejects.toThrow(LostExportError)
  const end = { sha256: Buffer.alloc(32), crc32: 0 }
  await expect(finishExport(sql, late, end)).rejects.toThrow(LostExportError)
  const job = await run(id)
  expect(job).toMatchObject({ status: 'done', rows: ENTRIES / 2 })
  // The activity is started again after its job has ended: its reply was lost.
  expect((await run(id)).manifest).toEqual(job.manifest)
})

test('fails without room, keeps the files that are there, and says so', async () => {
  const kept = await run((await made({ dataset: 'ledger', format: 'csv', filters: { account: 'chain' } })).id)
  const { id } = await made({ dataset: 'ledger', format: 'csv' })
  const failed = await run(id, { mostBytes: { merchant: 100_000, all: 1e9 }, partLength: 100_000 })
  expect(failed).toMatchObject({
    status: 'failed',
    url: null,
    manifest: null,
    failure: { code: 'EXPORT_STORAGE_FULL', message: expect.stringContaining('room') },
  })
  const { sql } = api.database
  expect(await sql`SELECT 1 FROM export_parts WHERE export_id = ${id}`).toHaveLength(0)
  const { body } = await download(kept.url ?? '')
  expect(sha256(body)).toBe(kept.manifest?.sha256)
})

test('fails without room for the files of all merchants, also where its own merchant has room', async () => {
  const { id } = await made({ dataset: 'ledger', format: 'csv' })
  const failed = await run(id, { mostBytes: { merchant: 1e9, all: 100_000 }, partLength: 100_000 })
  expect(failed).toMatchObject({
    status: 'failed',
    failure: { code: 'EXPORT_STORAGE_FULL', message: expect.stringContaining('operator') },
  })
})

test('writes one job of a merchant at a time, and those of another merchant meanwhile', async () => {
  const { sql } = api.database
  const key = await api.newKey({ merchantId: await api.newMerchant(), scopes: ['read'] })
  const first = await made({ dataset: 'ledger', format: 'csv' })
  const second = await made({ dataset: 'payments', format: 'csv' })
  const strange = (await create({ dataset: 'payments', format: 'csv' }, key)).json.data
  const claims = await Promise.all([claimExport(sql, first.id), claimExport(sql, second.id)])
  expect(claims.filter((claim) => claim === 'busy')).toHaveLength(1)
  const [running, waiting] = claims[0] === 'busy' ? [second, first] : [first, second]
  expect(await new MockActivityEnvironment().run(activities().writeExport, waiting.id)).toBe('busy')
  expect((await read(waiting.id)).json.data).toMatchObject({ status: 'queued' })
  await new MockActivityEnvironment().run(activities().writeExport, strange.id)
  expect((await read(strange.id, key)).json.data).toMatchObject({ status: 'done' })
  // The one that runs is claimed again after a death.
  expect(await run(running.id)).toMatchObject({ status: 'done' })
  expect(await run(waiting.id)).toMatchObject({ status: 'done' })
})

describe('a long job', () => {
  const started = (...ids: string[]) =>
    api.database.sql`UPDATE export_jobs SET workflow_started_at = now() WHERE id = ANY (${ids})`
  const parts = async (id: string) => {
    const [row] = await api.database.sql<{ parts: number }[]>`SELECT parts FROM export_jobs WHERE id = ${id}`
    return row?.parts
  }
  const write = (id: string) =>
    new MockActivityEnvironment().run(activities({ partLength: 300_000, sliceMs: 0 }).writeExport, id)

  test('gives its place to a merchant who waits after a slice, goes on in turn, and ends with the same file', async () => {
    const key = await api.newKey({ merchantId: await api.newMerchant(), scopes: ['read'] })
    const long = await made({ dataset: 'ledger', format: 'csv' })
    const short = (await create({ dataset: 'ledger', format: 'csv' }, key)).json.data as ExportJob
    await started(long.id, short.id)
    expect(await write(long.id)).toBe('busy')
    expect(await parts(long.id)).toBe(1)
    expect((await read(long.id)).json.data).toMatchObject({ status: 'queued', rows: expect.any(Number) })
    expect(await write(short.id)).toBe('ended')
    expect((await read(short.id, key)).json.data).toMatchObject({ status: 'done' })
    // No other merchant waits now, so it keeps its place to the end.
    expect(await write(long.id)).toBe('ended')
    const job: ExportJob = (await read(long.id)).json.data
    const streamed = (await api.call({ path: '/api/v1/exports/ledger' })).json
    expect(job.manifest).toMatchObject({
      rows: readCsv(streamed).length,
      sha256: sha256(Buffer.from(streamed)),
    })
  })

  test('keeps its place while others wait for a job of their own, or have not been started', async () => {
    const { sql } = api.database
    const key = await api.newKey({ merchantId: await api.newMerchant(), scopes: ['read'] })
    const long = await made({ dataset: 'ledger', format: 'csv' })
    const [running, waiting] = [
      (await create({ dataset: 'ledger', format: 'csv' }, key)).json.data.id,
      (await create({ dataset: 'ledger', format: 'csv' }, key)).json.data.id,
    ]
    const own = await made({ dataset: 'payments', format: 'csv' })
    await started(long.id, own.id, waiting)
    await claimExport(sql, running)
    expect(await write(long.id)).toBe('ended')
    for (const id of [running, waiting, own.id]) expect(await write(id)).toBe('ended')
  })

  test('lets a third merchant end while two have more to write than both places of a worker hold', async () => {
    const merchantId = await api.newMerchant()
    await fillLedger(api.database.sql, merchantId, ENTRIES)
    const second = await api.newKey({ merchantId, scopes: ['read'] })
    const third = await api.newKey({ merchantId: await api.newMerchant(), scopes: ['read'] })
    const huge: ExportJob[] = [
      await made({ dataset: 'ledger', format: 'csv' }),
      (await create({ dataset: 'ledger', format: 'csv' }, second)).json.data,
    ]
    const small: ExportJob = (await create({ dataset: 'ledger', format: 'csv' }, third)).json.data
    // Two places, and a queue of the others in the order in which they asked.
    const queue = [...huge.map(({ id }) => id), small.id]
    await started(...queue)
    const ended: string[] = []
    let slices = 0
    const place = async () => {
      for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
        slices += 1
        if ((await write(id)) === 'busy') queue.push(id)
        else ended.push(id)
      }
    }
    await Promise.all([place(), place()])
    expect(ended).toHaveLength(3)
    expect(ended[0]).toBe(small.id)
    expect(slices).toBeGreaterThan(3)
  })
})

/** Requests a file and reads nothing but its beginning. */
function stall(url: string): Promise<{ socket: Socket; closed: Promise<unknown> }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.on('error', () => {})
  socket.write(`GET ${new URL(url).pathname} HTTP/1.1\r\nHost: x\r\n\r\n`)
  return new Promise((resolve) =>
    socket.once('data', () => {
      socket.pause()
      resolve({ socket, closed })
    }),
  )
}

/** Returns how many connections the server has. */
const connections = () =>
  new Promise<number>((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )

/** Returns how many bytes the kernel can hold for a reader that takes nothing. A shorter file would be sent whole. */
function kernelBuffers(): number {
  const most = (name: string) =>
    Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim().split(/\s+/).at(-1))
  return most('tcp_rmem') + most('tcp_wmem')
}

test('limits the downloads of a file, and cuts those of readers that take nothing', async () => {
  // The file has about 600 bytes an entry.
  await fillLedger(api.database.sql, api.merchantId, Math.ceil(kernelBuffers() / 500))
  const job = await run((await made({ dataset: 'ledger', format: 'ndjson' })).id)
  expect(job.manifest?.bytes).toBeGreaterThan(kernelBuffers())
  const url = job.url ?? ''
  const readers = await Promise.all(Array.from({ length: 4 }, () => stall(url)))
  expect(await connections()).toBeGreaterThanOrEqual(readers.length)
  const refused = await download(url, { 'accept-encoding': 'gzip' })
  expect(refused.status).toBe(429)
  expect(refused.headers['retry-after']).toBe('10')
  expect(refused.headers['content-encoding']).toBeUndefined()
  expect(JSON.parse(refused.body.toString()).error.code).toBe('RATE_LIMITED')
  expect((await download(url, {}, 'HEAD')).status).toBe(200)
  // None of them reads on, and the server cuts each nevertheless.
  // One connection may be left that waits for another request.
  await expect.poll(connections, { timeout: 30_000 }).toBeLessThanOrEqual(1)
  expect((await download(url, { range: 'bytes=0-0' })).status).toBe(206)
  for (const { socket, closed } of readers) {
    let bytes = 0
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.resume()
    await closed
    expect(bytes).toBeLessThan(job.manifest?.bytes ?? 0)
  }
}, 60_000)

test('frees the slot of a reader that leaves', async () => {
  const { json } = await api.call({ path: '/api/v1/exports/jobs?limit=1' })
  const { url } = json.data[0]
  for (const { socket } of await Promise.all(Array.from({ length: 4 }, () => stall(url)))) socket.destroy()
  await expect
    .poll(async () => (await download(url, { range: 'bytes=0-0' })).status, { timeout: 4_000 })
    .toBe(206)
})

test('fails when the database has no space left', async () => {
  const { sql } = api.database
  await sql.unsafe(`
    CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER no_space BEFORE INSERT ON export_parts FOR EACH ROW EXECUTE FUNCTION no_space()`)
  try {
    const job = await run((await made({ dataset: 'ledger', format: 'csv' })).id)
    expect(job).toMatchObject({ status: 'failed', failure: { code: 'EXPORT_STORAGE_FULL' } })
  } finally {
    await sql`DROP TRIGGER no_space ON export_parts`
  }
})

test('gives a fresh link with each answer, and opens no other', async () => {
  const { id } = await made({ dataset: 'payments', format: 'csv' })
  const job = await run(id)
  await sleep(2)
  const again: ExportJob = (await read(id)).json.data
  expect(again.url).not.toBe(job.url)
  const lifetime = Date.parse(again.url_expires_at ?? '') - Date.now()
  expect(lifetime).toBeGreaterThan(14 * 60_000)
  expect(lifetime).toBeLessThanOrEqual(15 * 60_000)
  const token = new URL(again.url ?? '').pathname.split('/').at(-1) ?? ''
  const [name, end, signature = ''] = token.split('.')
  const other = await made({ dataset: 'audit', format: 'csv' })
  const strange = [
    `${name}.${Number(end) + 1}.${signature}`,
    `${other.id}.${end}.${signature}`,
    `${name}.${end}.${signature.startsWith('x') ? 'y' : 'x'}${signature.slice(1)}`,
    `${name}.${end}.`,
    signExportLink('22'.repeat(32), id, new Date(Date.now() + 60_000)),
    signExportLink(MASTER_KEY, id, new Date(Date.now() - 1)),
    // The job is not done.
    signExportLink(MASTER_KEY, other.id, new Date(Date.now() + 60_000)),
  ]
  for (const each of strange) expect((await download(`http://x/export-files/${each}`)).status, each).toBe(404)
  expect((await download(again.url ?? '')).status).toBe(200)
  await run(other.id)
})

test('opens links that an earlier master key signed', () => {
  const id = `exp_${'0'.repeat(32)}`
  const token = signExportLink('22'.repeat(32), id, new Date(1_000))
  expect(openExportLink([MASTER_KEY, '22'.repeat(32)], token, new Date(999))).toBe(id)
  expect(openExportLink([MASTER_KEY, '22'.repeat(32)], token, new Date(1_000))).toBeNull()
  expect(openExportLink([MASTER_KEY], token, new Date(999))).toBeNull()
})

test('shows another merchant no job, and lists its own alone', async () => {
  const { id } = await made({ dataset: 'payments', format: 'csv' })
  const key = await api.newKey({ merchantId: await api.newMerchant(), scopes: ['read'] })
  expect((await read(id, key)).json.error).toMatchObject({ code: 'NOT_FOUND' })
  expect((await api.call({ path: '/api/v1/exports/jobs', key })).json.data).toEqual([])
  await run(id)
  const { json } = await api.call({ path: '/api/v1/exports/jobs?limit=1' })
  expect(json.data[0]).toMatchObject({ id, status: 'done', url: expect.stringContaining('/export-files/') })
  expect(json.pagination.has_more).toBe(true)
})

test('refuses filters of another dataset and unknown datasets', async () => {
  const wrong = await create({ dataset: 'ledger', filters: { order_id: 'x' } })
  expect(wrong.json.error).toMatchObject({ code: 'VALIDATION_FAILED', details: { in: 'body' } })
  expect((await create({ dataset: 'api_keys' })).status).toBe(400)
  expect((await create({ dataset: 'deposits', filters: { status: ['held'] } })).status).toBe(400)
  const scoped = await api.newKey({ scopes: ['payments'] })
  expect((await create({ dataset: 'ledger' }, scoped)).json.error).toMatchObject({
    code: 'INSUFFICIENT_SCOPE',
  })
})

test('accepts few of many jobs that are requested at once, and one job for a repeated request', async () => {
  const merchantId = await api.newMerchant()
  const key = await api.newKey({ merchantId, scopes: ['read'] })
  const answers = await Promise.all(Array.from({ length: MANY }, () => create({ dataset: 'audit' }, key)))
  const statuses = answers.map(({ status }) => status)
  expect(statuses.filter((status) => status === 201)).toHaveLength(5)
  expect(statuses.filter((status) => status === 429)).toHaveLength(MANY - 5)
  const refused = answers.find(({ status }) => status === 429)
  expect(refused?.headers.get('retry-after')).toBe('10')
  const ids = answers.flatMap(({ json }) => (json.success ? [json.data.id] : []))
  await run(ids[0] ?? '')
  const repeated = () =>
    api.call({
      method: 'POST',
      path: '/api/v1/exports',
      body: { dataset: 'audit' },
      key,
      headers: { 'Idempotency-Key': 'once' },
    })
  const first = await repeated()
  expect((await repeated()).json).toEqual(first.json)
  const { json } = await api.call({ path: '/api/v1/exports/jobs', key })
  expect(json.data).toHaveLength(6)
  for (const id of [...ids.slice(1), first.json.data.id]) await run(id)
})

test('deletes files after their time, and keeps their manifests', async () => {
  const { sql } = api.database
  const job = await run((await made({ dataset: 'payments', format: 'csv' })).id)
  await sql`UPDATE export_jobs SET finished_at = finished_at - interval '8 days' WHERE id = ${job.id}`
  expect(await purgeExports(sql, 7 * 86_400_000)).toBe(1)
  expect((await download(job.url ?? '')).status).toBe(404)
  expect((await read(job.id)).json.data).toMatchObject({
    status: 'done',
    url: null,
    url_expires_at: null,
    kept_until: null,
    manifest: job.manifest,
  })
  expect(await sql`SELECT 1 FROM export_parts WHERE export_id = ${job.id}`).toHaveLength(0)
})

test('is found by the sweeper when its workflow was not started', async () => {
  const { id } = await made({ dataset: 'audit', format: 'csv' })
  const { sql } = api.database
  expect((await unstartedExports(sql, 60_000, 60_000)).map((each) => each.id)).not.toContain(id)
  expect((await unstartedExports(sql, 0, 60_000)).map((each) => each.id)).toEqual([id])
  await run(id)
  expect(await unstartedExports(sql, 0, 0)).toEqual([])
})

test('goes on in another process after the worker was killed', async () => {
  const temporal: TestTemporal = await testTemporal()
  const startWorker = () =>
    spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        'test/exports/export-worker.ts',
        api.database.url,
        temporal.address,
        temporal.namespace,
        '20000',
      ],
      { stdio: 'ignore' },
    )
  const workers = [startWorker()]
  try {
    const { id } = await made({ dataset: 'ledger', format: 'csv' })
    await temporal.client.workflow.start('exportJob', {
      workflowId: exportId(id),
      taskQueue: 'core',
      args: [{ id, merchantId: api.merchantId, title: 'ledger as csv' }],
    })
    const { sql } = api.database
    for (;;) {
      const [row] = await sql<{ parts: number }[]>`SELECT parts FROM export_jobs WHERE id = ${id}`
      if ((row?.parts ?? 0) >= 3) break
      await sleep(2)
    }
    const next = await made({ dataset: 'payments', format: 'csv' })
    await temporal.client.workflow.start('exportJob', {
      workflowId: exportId(next.id),
      taskQueue: 'core',
      args: [{ id: next.id, merchantId: api.merchantId, title: 'payments as csv' }],
    })
    workers[0]?.kill('SIGKILL')
    const half: ExportJob = (await read(id)).json.data
    expect(half).toMatchObject({ status: 'running' })
    workers.push(startWorker())
    await temporal.client.workflow.getHandle(exportId(id)).result()
    await storeHistory('export-job.killed', () =>
      temporal.client.workflow.getHandle(exportId(id)).fetchHistory(),
    )
    const job: ExportJob = (await read(id)).json.data
    const { body } = await download(job.url ?? '')
    expect(job).toMatchObject({ status: 'done', manifest: { rows: job.rows, sha256: sha256(body) } })
    const lines = readCsv(body.toString())
    expect(lines.map(({ sequence }) => Number(sequence))).toEqual(lines.map((_, index) => index + 1))
    const [row] = await sql<{ run: number }[]>`SELECT run FROM export_jobs WHERE id = ${id}`
    expect(row?.run).toBe(2)
    // The merchant's next job waited for this one.
    const following = temporal.client.workflow.getHandle(exportId(next.id))
    await following.result()
    await storeHistory('export-job.waited', () => following.fetchHistory())
    const events = (await following.fetchHistory()).events ?? []
    expect(events.filter((event) => event.timerStartedEventAttributes)).not.toHaveLength(0)
    // A worker that has many to choose from takes one of each merchant in turn.
    const scheduled = events.flatMap((event) => event.activityTaskScheduledEventAttributes ?? [])
    expect(new Set(scheduled.map(({ priority }) => priority?.fairnessKey))).toEqual(new Set([api.merchantId]))
    const waited: ExportJob = (await read(next.id)).json.data
    expect(waited).toMatchObject({ status: 'done' })
    expect(Date.parse(waited.finished_at ?? '')).toBeGreaterThanOrEqual(Date.parse(job.finished_at ?? ''))
  } finally {
    for (const worker of workers) worker.kill('SIGKILL')
    await temporal.close()
  }
}, 120_000)

test.each(recordedHistories('export-job'))('replays %s', async (name) => {
  await replayHistory(name)
})
