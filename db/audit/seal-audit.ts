/** Gives committed audit entries their sequence and hash. One sealer runs it at a time. */

import { AUDIT_GENESIS, auditHash } from '../../domain/operations/audit.js'
import type { Sql, Transaction } from '../connect.js'
import { type SealFailure, sealInTurn, type Unsealed } from '../events/log/seal-in-turn.js'

/** Advisory lock of the sealers of the audit log. Its value is arbitrary. */
const AUDIT_LOCK = 7_246_114_003

interface Row extends Unsealed {
  readonly at: Date
  readonly actor: string
  readonly action: string
  readonly data: Record<string, unknown>
}

interface Head {
  readonly sequence: number
  readonly hash: string
}

interface Sealed extends Head {
  readonly row: Row
  readonly previous: string
}

/**
 * Seals one batch. An entry that cannot be sealed is postponed with an alert and joins the chain later.
 *
 * @returns How many entries were read. Fewer than a full batch means that none are left.
 */
export async function sealAudit(sql: Sql): Promise<number> {
  return sealInTurn(sql, {
    table: 'audit_log',
    lock: AUDIT_LOCK,
    read: readRows,
    seal,
    nameOf: (row) => row.action,
  })
}

async function readRows(tx: Transaction, most: number): Promise<Row[]> {
  return tx<Row[]>`
    SELECT position, merchant_id, at, actor, action, subject, data, seal_failures FROM audit_log
    WHERE sequence IS NULL AND (seal_after IS NULL OR seal_after < clock_timestamp())
    ORDER BY position LIMIT ${most}`
}

async function seal(tx: Transaction, rows: readonly Row[]): Promise<SealFailure<Row>[]> {
  const heads = await readHeads(tx, rows)
  const sealed: Sealed[] = []
  const failures: SealFailure<Row>[] = []
  for (const row of rows) {
    try {
      const head = heads.get(row.merchant_id) ?? { sequence: 0, hash: AUDIT_GENESIS }
      const sequence = head.sequence + 1
      const hash = auditHash(head.hash, { ...row, sequence, at: row.at.toISOString() })
      heads.set(row.merchant_id, { sequence, hash })
      sealed.push({ row, sequence, previous: head.hash, hash })
    } catch (error) {
      failures.push({ row, error })
    }
  }
  await save(tx, sealed, heads)
  return failures
}

async function readHeads(tx: Transaction, rows: readonly Row[]): Promise<Map<string, Head>> {
  const heads = await tx<{ merchant_id: string; sequence: bigint; hash: Buffer }[]>`
    SELECT merchant_id, sequence, hash FROM audit_heads
    WHERE merchant_id = ANY (${[...new Set(rows.map((row) => row.merchant_id))]})`
  return new Map(
    heads.map((head) => [
      head.merchant_id,
      { sequence: Number(head.sequence), hash: head.hash.toString('hex') },
    ]),
  )
}

async function save(
  tx: Transaction,
  sealed: readonly Sealed[],
  heads: ReadonlyMap<string, Head>,
): Promise<void> {
  if (sealed.length === 0) return
  await tx`
    UPDATE audit_log SET sequence = sealed.sequence, previous = sealed.previous, hash = sealed.hash
    FROM unnest(
      ${sealed.map(({ row }) => row.position.toString())}::bigint[], ${sealed.map((each) => each.sequence)}::bigint[],
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
}
