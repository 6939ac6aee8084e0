/** Checks that the hash chain of the audit log is whole, and that every entry is sealed in time. */

import { AuditChainVerifier } from '../../../../domain/operations/audit.js'
import type { BooksCheck } from './check.js'

interface Entry {
  readonly sequence: bigint
  readonly at: Date
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly data: Record<string, unknown>
  readonly hash: Buffer
}

/** Entries that the server hands over at a time. */
const ROWS = 2_000

export const auditLog: BooksCheck = {
  name: 'audit_log',
  async *examine(tx, { merchantId, soonMs }, findings) {
    const chain = new AuditChainVerifier()
    const rows = tx<Entry[]>`
      SELECT sequence, at, actor, action, subject, data, hash FROM audit_log
      WHERE merchant_id = ${merchantId} AND sequence IS NOT NULL ORDER BY sequence`
    for await (const page of rows.cursor(ROWS)) {
      for (const row of page) {
        const record = { ...row, sequence: Number(row.sequence), at: row.at.toISOString() }
        chain.add(record, row.hash.toString('hex'))
      }
      yield page.length
    }
    const [head] = await tx<{ sequence: bigint; hash: string }[]>`
      SELECT sequence, encode(hash, 'hex') AS hash FROM audit_heads WHERE merchant_id = ${merchantId}`
    const { entries, broken_at, head_hash } = chain.result()
    const brokenAt = broken_at ?? (BigInt(entries) === (head?.sequence ?? 0n) ? null : entries + 1)
    if (brokenAt !== null) {
      findings.differ({
        subject: { type: 'audit_entry', id: String(brokenAt) },
        field: 'hash',
        network: null,
        coin: null,
        expected: `${head?.sequence ?? 0n} entries`,
        actual: `${brokenAt - 1} entries`,
        reason: 'The hash chain of the audit log is broken at this entry',
      })
    } else if (head && head.hash !== head_hash) {
      findings.differ({
        subject: { type: 'audit_entry', id: String(entries) },
        field: 'head',
        network: null,
        coin: null,
        expected: head_hash,
        actual: head.hash,
        reason: 'The next entry of the audit log would not continue the hash chain after this entry',
      })
    }
    const [unsealed] = await tx<{ late: number; soon: number }[]>`
      SELECT count(*) FILTER (WHERE at < clock_timestamp() - ${soonMs} * interval '1 millisecond')::integer AS late,
             count(*)::integer AS soon
      FROM audit_log WHERE sequence IS NULL AND merchant_id = ${merchantId}`
    const entry = {
      subject: { type: 'merchant', id: merchantId },
      field: 'sealed',
      network: null,
      coin: null,
      expected: 'all entries',
    }
    if ((unsealed?.late ?? 0) > 0) {
      const actual = `${unsealed?.late} entries without a hash`
      findings.differ({ ...entry, actual, reason: 'Entries of the audit log should have been sealed by now' })
    } else if ((unsealed?.soon ?? 0) > 0) {
      const actual = `${unsealed?.soon} entries without a hash`
      findings.expect({ ...entry, actual, reason: 'The newest entries of the audit log are not sealed yet' })
    }
  },
}
