/** Verifies the approvals of a closed month against keys that the platform does not hold. */

import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkApprovals, readApprovers } from '../../auditor/offline/check-approvals.js'
import { Findings } from '../../auditor/offline/findings.js'
import { UnusableExport } from '../../auditor/offline/unusable-export.js'
import { sealAudit } from '../../db/audit/seal-audit.js'
import { periodAt } from '../../domain/books/period.js'
import { approvalMessage } from '../../domain/controls/approval.js'
import { intentHash, type PeriodCloseIntent } from '../../domain/controls/intent.js'
import { type Books, openBooks } from '../stage/open-books.js'
import type { TestPerson } from '../stage/people.js'
import { startTestApi, type TestApi } from '../stage/test-api.js'

const PERIOD = periodAt(new Date())

let api: TestApi
let books: Books
let directory: string
/** Lines of the export of the audit log. */
let entries: Record<string, unknown>[]
let period: Parameters<typeof checkApprovals>[1]
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-approvals-'))
  api = await startTestApi({ KEYTURN_PERIOD_CLOSE_EARLY: 'true' })
  books = await openBooks(api)
  await books.close(PERIOD)
  expect(await books.approve(PERIOD)).toBe('effective')
  while ((await sealAudit(api.database.sql)) > 0);
  period = (await books.call('GET', `/periods/${PERIOD}`)).json.data
  const { json: text } = await books.call('GET', '/exports/audit?format=ndjson')
  entries = String(text)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
})
afterAll(async () => {
  rmSync(directory, { recursive: true })
  await api?.database.drop()
})

const pinned = ({ approverId, id, privateKey }: Omit<TestPerson, 'key'>) => ({
  approver_id: approverId,
  person_id: id,
  public_key: createPublicKey(privateKey)
    .export({ format: 'der', type: 'spki' })
    .subarray(-32)
    .toString('base64'),
})

function write(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

/** Checks the log, with changes, against the keys. @returns Verdicts as `kind: what`, and the exit code. */
async function check(
  approvers: readonly Record<string, string>[] | null,
  change: (entry: Record<string, unknown>) => Record<string, unknown> = (entry) => entry,
  lines = entries,
): Promise<readonly [string[], number]> {
  const findings = new Findings()
  const log = write('audit.ndjson', lines.map((entry) => `${JSON.stringify(change(entry))}\n`).join(''))
  const keys = approvers && (await readApprovers(write('approvers.json', JSON.stringify({ approvers }))))
  await checkApprovals(log, period, keys, findings)
  return [findings.verdicts.map(({ kind, what }) => `${kind}: ${what}`), findings.exitCode()]
}

const changeData = (action: string, fields: Record<string, unknown>) => (entry: Record<string, unknown>) =>
  entry.action === action ? { ...entry, data: { ...(entry.data as object), ...fields } } : entry

test('verifies the decisions, and that two people approved exactly these books', async () => {
  expect(await check(books.people.map(pinned))).toEqual([
    ['holds: 2 decisions are signed by their approvers'],
    0,
  ])
})

test('says as a note that no keys were given', async () => {
  expect(await check(null)).toEqual([[expect.stringMatching(/^unchecked: .*--approvers FILE$/)], 0])
})

test('names the line of a decision that the key did not sign', async () => {
  const [, first, second] = books.people
  // The platform says who signed; the key that the auditor has is another one.
  const swapped = [{ ...pinned(first), public_key: pinned(second).public_key }, pinned(second)]
  const line = entries.findIndex(({ action }) => action === 'period_close.approval_given') + 1
  const [verdicts, code] = await check(swapped)
  expect(verdicts).toEqual([
    expect.stringMatching(
      `^fault: line ${line} of the audit log: the key of ${first.approverId} did not sign`,
    ),
    `fault: 1 of 2 people who did not ask for it signed the close of ${PERIOD}`,
  ])
  expect(code).toBe(1)
  for (const [action, fields] of [
    ['period_close.approval_given', { signed_at: '2026-01-01T00:00:00.000Z' }],
    ['period_close.approval_given', { intent_hash: '0'.repeat(64) }],
    ['period_close.approval_given', { signature: null }],
  ] as const)
    expect((await check(books.people.map(pinned), changeData(action, fields)))[1]).toBe(1)
})

test('counts a rejection as no approval, one person with two keys once, and the one who asks not at all', async () => {
  const people = books.people.map(pinned)
  const turned = await check(people, (entry) =>
    entry.action === 'period_close.approval_given'
      ? { ...entry, action: 'period_close.rejection_given' }
      : entry,
  )
  expect(turned[1]).toBe(1)
  const short = `fault: 1 of 2 people who did not ask for it signed the close of ${PERIOD}`
  const [asker, first] = books.people
  for (const person_id of [first.id, asker.id]) {
    const [verdicts] = await check(people.map((each, index) => (index === 2 ? { ...each, person_id } : each)))
    expect(verdicts).toEqual([short])
  }
})

test('names a signed rejection of the close, wherever it stands in the log', async () => {
  const third = {
    id: 'per_third',
    approverId: 'apr_third',
    privateKey: generateKeyPairSync('ed25519').privateKey,
  }
  const asked = entries.findIndex(({ action }) => action === 'period_close.change_requested')
  const { intent } = entries[asked]!.data as { intent: PeriodCloseIntent }
  const rejection = (hash: string) => {
    const data = {
      approver_id: third.approverId,
      decision: 'reject' as const,
      intent_hash: hash,
      signed_at: new Date().toISOString(),
    }
    const signature = sign(null, Buffer.from(approvalMessage(data)), third.privateKey).toString('base64')
    return { action: 'period_close.rejection_given', subject: intent.close, data: { ...data, signature } }
  }
  const people = [...books.people.map(pinned), pinned(third)]
  const rejected = rejection(intentHash(intent))
  for (const at of [asked + 1, entries.length])
    expect(await check(people, undefined, entries.toSpliced(at, 0, rejected))).toEqual([
      [
        `fault: line ${at + 1} of the audit log: apr_third rejected the close of ${PERIOD}, and it was closed`,
      ],
      1,
    ])
  // Neither the rejection of another request nor one by the person who asked is final.
  const holds = ['holds: 3 decisions are signed by their approvers']
  const other = entries.toSpliced(asked + 1, 0, rejection('0'.repeat(64)))
  expect(await check(people, undefined, other)).toEqual([holds, 0])
  const own = people.map((each) =>
    each.approver_id === third.approverId ? { ...each, person_id: intent.initiator } : each,
  )
  expect(await check(own, undefined, entries.toSpliced(asked + 1, 0, rejected))).toEqual([holds, 0])
})

test('names the request for other books, and what it cannot check', async () => {
  const people = books.people.map(pinned)
  const asked = entries.find(({ action }) => action === 'period_close.change_requested')
  const { intent } = (asked?.data ?? {}) as { intent: object }
  const request = 'period_close.change_requested'
  const [verdicts] = await check(people, changeData(request, { intent: { ...intent, hash: 'other' } }))
  expect(verdicts).toEqual([expect.stringContaining('with the hash other, and not for these books')])
  // Approvers signed another intent than the log has.
  const [unsigned] = await check(
    people,
    changeData(request, { intent: { ...intent, initiator: 'per_other' } }),
  )
  expect(unsigned).toEqual([`fault: 0 of 2 people who did not ask for it signed the close of ${PERIOD}`])
  expect(await check(people, changeData('period.closed', { request: 'pcl_unknown' }))).toEqual([
    [`unchecked: the audit log has no request to close ${PERIOD}`, expect.stringMatching(/^holds: 2/)],
    3,
  ])
  const [lacking, code] = await check(people.slice(0, 2))
  expect(lacking).toEqual([
    `unchecked: 1 of 2 people who did not ask for it signed the close of ${PERIOD}`,
    `unchecked: the file of keys lacks ${people[2]?.approver_id}`,
    'holds: 1 decisions are signed by their approvers',
  ])
  expect(code).toBe(3)
})

test('refuses a file of keys in another form', async () => {
  for (const text of ['no JSON', '{}', 'null', '{"approvers":[null]}', '{"approvers":[{"approver_id":"a"}]}'])
    await expect(readApprovers(write('keys.json', text))).rejects.toThrow(UnusableExport)
  const short = JSON.stringify({ approvers: [{ approver_id: 'a', person_id: 'p', public_key: 'AAAA' }] })
  await expect(readApprovers(write('keys.json', short))).rejects.toThrow(/no Ed25519 key/)
  await expect(readApprovers(join(directory, 'none.json'))).rejects.toThrow(UnusableExport)
})
