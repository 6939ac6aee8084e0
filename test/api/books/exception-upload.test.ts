/** Exceptions are exported, edited and uploaded again, as CSV and NDJSON. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type NewException, raiseException } from '../../../db/books/exceptions/raise-exception.js'
import { inTransaction } from '../../../db/connect.js'
import { createPerson } from '../../../db/merchants/create-person.js'
import { parseCsv } from '../../stage/parse-csv.js'
import { type Answer, type ApiKeyPair, startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
let merchantId: string
let key: ApiKeyPair
let owner: string

beforeAll(async () => {
  api = await startTestApi({ KEYTURN_UPLOAD_LIMIT: '200000' })
})
afterAll(() => api?.database.drop())
beforeEach(async () => {
  merchantId = await api.newMerchant()
  key = await api.newKey({ merchantId })
  owner = await createPerson(api.database.sql, { merchantId, name: 'Finance' })
})

let raised = 0
const raise = async (change: Partial<NewException> = {}) => {
  const id = await inTransaction(api.database.sql, (tx) =>
    raiseException(tx, {
      merchantId,
      kind: 'late',
      cause: `late:${++raised}`,
      subject: { type: 'payment', id: 'pay_1' },
      reason: 'Too late',
      expected: 'before noon',
      actual: 'after, with "quotes" and\na line',
      evidence: { amount: '1.50', nested: { b: 1, a: [null] } },
      ...change,
    }),
  )
  if (id === null) throw new Error('was raised before')
  return id
}
const exported = async (format: 'csv' | 'ndjson', query = ''): Promise<string> =>
  (await api.call({ path: `/api/v1/exports/exceptions?format=${format}${query}`, key })).json
const upload = (body: string, format = 'text/csv', query = '', by = key): Promise<Answer> =>
  api.call({
    method: 'POST',
    path: `/api/v1/exceptions/upload${query}`,
    key: by,
    body,
    headers: { 'Content-Type': format },
  })
const read = async (id: string) => (await api.call({ path: `/api/v1/exceptions/${id}`, key })).json.data
const quote = (cell: string) => `"${cell.replaceAll('"', '""')}"`
/** Edits cells of a CSV by id and column, and quotes all cells, as other programs do. */
const edit = (csv: string, edits: Record<string, Record<string, string>>): string => {
  const [head = [], ...lines] = parseCsv(csv)
  const id = head.indexOf('id')
  const edited = lines.map((cells) =>
    cells.map((cell, at) => edits[cells[id] ?? '']?.[head[at] ?? ''] ?? cell),
  )
  return [head, ...edited].map((cells) => `${cells.map(quote).join(',')}\n`).join('')
}

test('changes owner, resolution, comment and root cause of a CSV, and nothing else', async () => {
  const ids = [await raise(), await raise(), await raise({ reason: '=HYPERLINK("x")' }), await raise()]
  const csv = await exported('csv')
  expect(csv).toContain("'=HYPERLINK")
  const edited = edit(csv, {
    [ids[0] ?? '']: { owner, comment: "'=a formula that is a text" },
    [ids[1] ?? '']: { resolution: 'none', comment: 'Settled by phone', root_cause: 'A slow bank' },
    [ids[2] ?? '']: { root_cause: 'Someone tried a formula' },
  })
  const dry = await upload(edited, 'text/csv', '?dry_run=true')
  expect(dry.status).toBe(200)
  expect(dry.json.data).toEqual({ dry_run: true, changes: 3, unchanged: 1, rejected: [], rejected_count: 0 })
  expect(await exported('csv')).toBe(csv)
  const audits = () =>
    api.database.sql`SELECT 1 FROM audit_log WHERE merchant_id = ${merchantId} AND action LIKE 'exception.%'`
  expect(await audits()).toHaveLength(0)
  const done = await upload(edited)
  expect(done.json.data).toEqual({
    dry_run: false,
    changes: 3,
    unchanged: 1,
    rejected: [],
    rejected_count: 0,
  })
  expect(await read(ids[0] ?? '')).toMatchObject({
    owner,
    status: 'in_progress',
    comments: [{ text: '=a formula that is a text' }],
  })
  expect(await read(ids[1] ?? '')).toMatchObject({
    status: 'resolved',
    resolution: 'none',
    root_cause: 'A slow bank',
    comments: [{ text: 'Settled by phone' }],
  })
  expect(await read(ids[2] ?? '')).toMatchObject({ status: 'open', root_cause: 'Someone tried a formula' })
  expect((await audits()).length).toBeGreaterThan(4)
  // The same file again is an old one now.
  const old = await upload(edited)
  expect(old.json.data).toMatchObject({ changes: 0, unchanged: 1 })
  expect(old.json.data.rejected).toHaveLength(3)
})

test('rejects a line with another change, and applies the others', async () => {
  const ids = [await raise(), await raise(), await raise(), await raise(), await raise()]
  await api.call({
    method: 'POST',
    path: `/api/v1/exceptions/${ids[4]}/resolve`,
    key,
    body: { resolution: 'none', comment: 'done' },
  })
  const csv = edit(await exported('csv'), {
    [ids[0] ?? '']: { severity: 'low' },
    [ids[1] ?? '']: { owner: 'per_none' },
    [ids[2] ?? '']: { resolution: 'credit' },
    [ids[3] ?? '']: { comment: 'fine' },
    [ids[4] ?? '']: { owner },
  })
  const stranger = await api.newKey({ merchantId: await api.newMerchant() })
  const foreign = await upload(csv, 'text/csv', '', stranger)
  expect(foreign.json.data).toMatchObject({ changes: 0, unchanged: 0 })
  expect(foreign.json.data.rejected).toHaveLength(5)
  const { json } = await upload(csv)
  expect(json.data).toMatchObject({ changes: 1, unchanged: 0 })
  // Each exception takes two lines of the file, because a cell holds a line end.
  expect(json.data.rejected).toEqual([
    { line: 2, reason: expect.stringContaining('severity') },
    { line: 4, reason: expect.stringContaining('person') },
    { line: 6, reason: expect.stringContaining('resolution') },
    { line: 10, reason: expect.stringContaining('resolved') },
  ])
  expect(await read(ids[0] ?? '')).toMatchObject({ severity: 'medium' })
  expect(await read(ids[1] ?? '')).toMatchObject({ owner: null, status: 'open' })
})

test('takes NDJSON, a file with few columns, and an id once', async () => {
  const ids = [await raise(), await raise(), await raise()]
  const lines = (await exported('ndjson'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  lines[0].comment = 'seen'
  lines[1].evidence.amount = '2'
  lines[2].owner = owner
  const text = `${lines.map((line) => JSON.stringify(line)).join('\n')}\nnot json\n[]\n`
  const { json } = await upload(text, 'application/x-ndjson')
  expect(json.data).toMatchObject({ changes: 2, unchanged: 0 })
  expect(json.data.rejected.map((each: { line: number }) => each.line)).toEqual([2, 4, 5])
  expect((await read(ids[0] ?? '')).comments).toMatchObject([{ text: 'seen' }])
  const few = await upload(`id,comment\n${ids[0]},more\n${ids[0]},twice\n${ids[1]},\n,nothing\n`)
  expect(few.json.data).toMatchObject({
    changes: 1,
    unchanged: 1,
    rejected: [{ line: 3 }, { line: 5, reason: expect.stringContaining('id') }],
  })
})

test('takes no other type, no unknown column, no file that is too large, and no key without the right', async () => {
  const id = await raise()
  const code = async (answer: Promise<Answer>) => {
    const { status, json } = await answer
    return [status, json.error?.code]
  }
  expect(await code(upload('{}', 'application/json'))).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE'])
  expect(await code(upload('id', 'text/plain'))).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE'])
  expect(await code(upload('id,colour\nx,red\n'))).toEqual([400, 'VALIDATION_FAILED'])
  expect(await code(upload('comment\nx\n'))).toEqual([400, 'VALIDATION_FAILED'])
  expect(await code(upload(`id,comment\n${id},${'x'.repeat(200_000)}\n`))).toEqual([413, 'BODY_TOO_LARGE'])
  const reader = await api.newKey({ merchantId, scopes: ['read'] })
  expect(await code(upload(`id,comment\n${id},x\n`, 'text/csv', '', reader))).toEqual([
    403,
    'INSUFFICIENT_SCOPE',
  ])
  expect((await read(id)).comments).toEqual([])
})

test('counts rejected lines beyond those that it names, and takes no file with more lines than its limit', async () => {
  const id = await raise()
  const unknown = (count: number) => Array.from({ length: count }, (_, at) => `exc_${at}\n`).join('')
  const { json } = await upload(`id\n${unknown(1_100)}${id}\n`)
  expect(json.data).toMatchObject({ changes: 0, unchanged: 1, rejected_count: 1_100 })
  expect(json.data.rejected).toHaveLength(1_000)
  const long = await upload(`id\n${'x\n'.repeat(10_001)}`, 'text/csv', '?dry_run=true')
  expect([long.status, long.json.error?.message]).toEqual([400, expect.stringContaining('10000')])
})

test('takes a line that is longer than others because of its comments', async () => {
  const id = await raise()
  const text = 'x'.repeat(2_000)
  for (let count = 0; count < 80; count++) {
    await api.call({ method: 'POST', path: `/api/v1/exceptions/${id}/comments`, key, body: { text } })
  }
  for (const [format, type] of [
    ['csv', 'text/csv'],
    ['ndjson', 'application/x-ndjson'],
  ] as const) {
    const { status, json } = await upload(await exported(format), type, '?dry_run=true')
    expect(status).toBe(200)
    expect(json.data).toMatchObject({ unchanged: 1, rejected: [] })
  }
})

test('rejects a line alone whose texts cannot be stored', async () => {
  const ids = [await raise(), await raise(), await raise()]
  const lines = [
    { id: ids[0], comment: 'a\0b' },
    { id: ids[1], root_cause: 'half \ud800' },
    { id: `${ids[1]}\0`, comment: 'x' },
    { id: ids[2], comment: 'fine' },
  ]
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const { status, json } = await upload(text, 'application/x-ndjson')
  expect(status).toBe(200)
  expect(json.data).toMatchObject({ changes: 1, rejected: [{ line: 1 }, { line: 2 }, { line: 3 }] })
})

test('exports by the filters of the list, as a stream and as a job', async () => {
  await raise()
  const other = await raise({ kind: 'duplicate' })
  const csv = parseCsv(await exported('csv', '&kind=duplicate'))
  expect(csv.map(([id]) => id)).toEqual(['id', other])
  const job = await api.call({
    method: 'POST',
    path: '/api/v1/exports',
    key,
    body: { dataset: 'exceptions', format: 'ndjson', filters: { status: 'open', overdue: 'false' } },
  })
  expect(job.json.data).toMatchObject({ dataset: 'exceptions', status: 'queued' })
})
