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
  /** Head of the merchant's chain. Both are `null` before its first entry. */
  readonly last_sequence: bigint | null
  readonly last_hash: Buffer | null
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
    SELECT position, merchant_id, at, actor, action, subject, data, seal_failures, head.sequence AS last_sequence,
           head.hash AS last_hash
    FROM audit_log LEFT JOIN audit_heads head USING (merchant_id)
    WHERE audit_log.sequence IS NULL AND (seal_after IS NULL OR seal_after < clock_timestamp())
    ORDER BY position LIMIT ${most}`
}

async function seal(tx: Transaction, rows: readonly Row[]): Promise<SealFailure<Row>[]> {
  const heads = new Map<string, Head>()
  const sealed: Sealed[] = []
  const failures: SealFailure<Row>[] = []
  for (const row of rows) {
    try {
      const head = heads.get(row.merchant_id) ?? headOf(row)
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

/** Returns the head as it was read. No other process changes it while this one holds the lock. */
function headOf({ last_sequence, last_hash }: Row): Head {
  if (last_sequence === null || last_hash === null) return { sequence: 0, hash: AUDIT_GENESIS }
  return { sequence: Number(last_sequence), hash: last_hash.toString('hex') }
}

async function save(
  tx: Transaction,
  sealed: readonly Sealed[],
  heads: ReadonlyMap<string, Head>,
): Promise<void> {
  if (sealed.length === 0) return
  const merchants = [...heads.entries()]
  await tx`
    WITH head AS (
      INSERT INTO audit_heads (merchant_id, sequence, hash)
      SELECT * FROM unnest(
        ${merchants.map(([merchantId]) => merchantId)}::text[], ${merchants.map(([, head]) => head.sequence)}::bigint[],
        ${merchants.map(([, head]) => `\\x${head.hash}`)}::text[]::bytea[])
      ON CONFLICT (merchant_id) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash
    )
    UPDATE audit_log SET sequence = sealed.sequence, previous = sealed.previous, hash = sealed.hash
    FROM unnest(
      ${sealed.map(({ row }) => row.position.toString())}::bigint[], ${sealed.map((each) => each.sequence)}::bigint[],
      ${sealed.map((each) => `\\x${each.previous}`)}::text[]::bytea[], ${sealed.map((each) => `\\x${each.hash}`)}::text[]::bytea[]
    ) AS sealed (position, sequence, previous, hash)
    WHERE audit_log.position = sealed.position`
}
