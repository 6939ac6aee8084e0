/** Verifying the chain of an audit log. */

import { expect, test } from 'vitest'
import {
  AUDIT_GENESIS,
  AuditChainVerifier,
  type AuditRecord,
  auditHash,
} from '../../../domain/operations/audit.js'

const record = (sequence: number, data: Record<string, unknown> = {}): AuditRecord => ({
  sequence,
  at: '2026-01-01T00:00:00.000Z',
  actor: 'person:per_1',
  action: 'withdrawal.approved',
  subject: 'withdrawal_1',
  data,
})

function chainOf(records: AuditRecord[]): [AuditRecord, string][] {
  let previous = AUDIT_GENESIS
  return records.map((each) => {
    previous = auditHash(previous, each)
    return [each, previous]
  })
}

function verify(entries: [AuditRecord, string][]) {
  const verifier = new AuditChainVerifier()
  for (const [each, hash] of entries) verifier.add(each, hash)
  return verifier.result()
}

test('accepts a chain and names its head', () => {
  const entries = chainOf([record(1), record(2, { reason: 'ok' })])
  expect(verify(entries)).toEqual({ valid: true, entries: 2, head_hash: entries[1]?.[1], broken_at: null })
})

test('an empty log is valid', () => {
  expect(verify([])).toEqual({ valid: true, entries: 0, head_hash: AUDIT_GENESIS, broken_at: null })
})

test.each([
  [
    'a changed entry',
    (entries: [AuditRecord, string][]) =>
      entries.map(([each, hash], i): [AuditRecord, string] => [
        i === 1 ? { ...each, actor: 'person:per_2' } : each,
        hash,
      ]),
    2,
  ],
  ['a missing entry', (entries: [AuditRecord, string][]) => entries.filter((_, i) => i !== 1), 2],
  ['swapped entries', (entries: [AuditRecord, string][]) => [entries[1]!, entries[0]!, entries[2]!], 1],
])('notices %s', (_name, tamper, brokenAt) => {
  const entries = chainOf([record(1), record(2), record(3)])
  expect(verify(tamper(entries))).toMatchObject({ valid: false, broken_at: brokenAt })
})
