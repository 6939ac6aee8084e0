/** Verifies a merchant's whole audit chain from the table. */

import { AuditChainVerifier, type AuditVerification } from '../../domain/operations/audit.js'
import type { Sql } from '../connect.js'

/** Rows fetched at once, so that memory does not grow with the log. */
const PAGE = 2_000

interface Row {
  readonly sequence: bigint
  readonly at: Date
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly data: Record<string, unknown>
  readonly hash: Buffer
}

/** Verifies every sealed entry, and that the recorded head is the last one, so that a cut tail is found as well. */
export async function verifyAudit(sql: Sql, merchantId: string): Promise<AuditVerification> {
  const chain = new AuditChainVerifier()
  // Read the entries and the head in one snapshot.
  const head = await sql.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY', async (tx) => {
    const rows = tx<Row[]>`
      SELECT sequence, at, actor, action, subject, data, hash FROM audit_log
      WHERE merchant_id = ${merchantId} AND sequence IS NOT NULL ORDER BY sequence`
    for await (const page of rows.cursor(PAGE)) {
      for (const row of page) {
        chain.add(
          { ...row, sequence: Number(row.sequence), at: row.at.toISOString() },
          row.hash.toString('hex'),
        )
      }
    }
    const [row] = await tx<
      { sequence: bigint }[]
    >`SELECT sequence FROM audit_heads WHERE merchant_id = ${merchantId}`
    return Number(row?.sequence ?? 0n)
  })
  const result = chain.result()
  return result.valid && result.entries !== head
    ? { ...result, valid: false, broken_at: result.entries + 1 }
    : result
}
