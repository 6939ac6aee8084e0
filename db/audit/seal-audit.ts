/** Gives committed audit entries their sequence and hash; run by one sealer at a time. */

import { AUDIT_GENESIS, auditHash } from '../../domain/audit.js'
import type { Sql } from '../connect.js'
import { SEALER_LOCK } from '../events/seal-events.js'

/** Entries sealed in one transaction: enough to keep up, small enough to hold no lock for long. */
const BATCH = 500

interface Row {
  readonly position: bigint
  readonly merchant_id: string
  readonly at: Date
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly data: Record<string, unknown>
}

/** Seals one batch. @returns How many were sealed; fewer than a full batch means that nothing is left. */
export async function sealAudit(sql: Sql): Promise<number> {
  return sql.begin(async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(${SEALER_LOCK})`
    const rows = await tx<Row[]>`
      SELECT position, merchant_id, at, actor, action, subject, data FROM audit_log
      WHERE sequence IS NULL ORDER BY position LIMIT ${BATCH}`
    if (rows.length === 0) return 0
    const heads = new Map(
      (
        await tx<{ merchant_id: string; sequence: bigint; hash: Buffer }[]>`
          SELECT merchant_id, sequence, hash FROM audit_heads
          WHERE merchant_id = ANY (${[...new Set(rows.map((row) => row.merchant_id))]})`
      ).map((head) => [
        head.merchant_id,
        { sequence: Number(head.sequence), hash: head.hash.toString('hex') },
      ]),
    )
    const sealed = rows.map((row) => {
      const head = heads.get(row.merchant_id) ?? { sequence: 0, hash: AUDIT_GENESIS }
      const sequence = head.sequence + 1
      const hash = auditHash(head.hash, { ...row, sequence, at: row.at.toISOString() })
      heads.set(row.merchant_id, { sequence, hash })
      return { position: row.position, sequence, previous: head.hash, hash }
    })
    await tx`
      UPDATE audit_log SET sequence = sealed.sequence, previous = sealed.previous, hash = sealed.hash
      FROM unnest(
        ${sealed.map((each) => each.position.toString())}::bigint[], ${sealed.map((each) => each.sequence)}::bigint[],
        ${sealed.map((each) => `\\x${each.previous}`)}::text[]::bytea[], ${sealed.map((each) => `\\x${each.hash}`)}::text[]::bytea[]
      ) AS sealed (position, sequence, previous, hash)
      WHERE audit_log.position = sealed.position`
    const merchants = [...heads.entries()]
    await tx`
      INSERT INTO audit_heads (merchant_id, sequence, hash)
      SELECT * FROM unnest(
        ${merchants.map(([merchantId]) => merchantId)}::text[], ${merchants.map(([, head]) => head.sequence)}::bigint[],
        ${merchants.map(([, head]) => `\\x${head.hash}`)}::text[]::bytea[])
      ON CONFLICT (merchant_id) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash`
    return rows.length
  })
}
