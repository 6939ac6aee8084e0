/** The verifier of audit logs, against whole logs and changed ones. */

import { execFile } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { type ExportedAuditEntry, verifyAuditLog } from '../../client/verify-audit-log.js'
import { AUDIT_GENESIS, auditHash } from '../../domain/operations/audit.js'

const entries: ExportedAuditEntry[] = []
for (let sequence = 1; sequence <= 5; sequence++) {
  const record = {
    sequence,
    at: `2024-01-15T12:00:0${sequence}.000Z`,
    actor: 'person:per_1',
    action: 'withdrawal.approved',
    subject: `withdrawal_${sequence}`,
    data: { b: 1, a: { z: [1, 2], ä: '€' } },
  }
  entries.push({ ...record, hash: auditHash(entries.at(-1)?.hash ?? AUDIT_GENESIS, record) })
}
const head = entries.at(-1)!.hash
const ndjson = (list: readonly unknown[]) => list.map((each) => JSON.stringify(each)).join('\n')

test('verifies a whole log as NDJSON, as JSON and as pages of answers in any order', () => {
  const valid = { valid: true, entries: 5, head_hash: head, broken_at: null }
  expect(verifyAuditLog(ndjson(entries))).toEqual(valid)
  expect(verifyAuditLog(JSON.stringify(entries))).toEqual(valid)
  const pages = [
    { success: true, data: entries.slice(2).reverse() },
    { success: true, data: entries.slice(0, 2).reverse() },
  ]
  expect(verifyAuditLog(ndjson(pages))).toEqual(valid)
  expect(verifyAuditLog(ndjson(entries), head).valid).toBe(true)
})

test('finds a changed, missing, added or exchanged entry', () => {
  const changed = entries.map((each) => (each.sequence === 3 ? { ...each, actor: 'person:per_2' } : each))
  expect(verifyAuditLog(ndjson(changed))).toMatchObject({ valid: false, broken_at: 3 })
  expect(verifyAuditLog(ndjson(entries.toSpliced(1, 1)))).toMatchObject({ valid: false, broken_at: 2 })
  expect(verifyAuditLog(ndjson(entries.slice(1)))).toMatchObject({ valid: false, broken_at: 1 })
  expect(verifyAuditLog(ndjson([...entries, entries[4]]))).toMatchObject({ valid: false })
})

test('misses the noted head in a log whose end was cut off', () => {
  expect(verifyAuditLog(ndjson(entries.slice(0, 4)), head).valid).toBe(false)
  expect(verifyAuditLog(ndjson(entries.slice(0, 4))).valid).toBe(true)
})

test('reports the result in the exit code of the command', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'keyturn-audit-')), 'audit.ndjson')
  await writeFile(file, ndjson(entries))
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', 'client/verify-audit-log-command.ts', ...args])
  expect(JSON.parse((await run(file, head)).stdout)).toMatchObject({ valid: true, entries: 5 })
  await writeFile(file, ndjson(entries.slice(1)))
  await expect(run(file)).rejects.toMatchObject({ code: 1 })
})

test('rejects text that is not an audit log', () => {
  expect(() => verifyAuditLog('{"a":1}')).toThrow(/not an export/)
})
