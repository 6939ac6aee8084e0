/** Seals secrets of other master keys again under the sealing one, a few rows at once and during operation. */

import {
  isBound,
  openSecret,
  openUnbound,
  type SealedRow,
  sealedHead,
  sealSecret,
} from '../vault/seal-secret.js'
import { inTransaction, type Sql, type Transaction } from './connect.js'
import { PLATFORM_ROW } from './signing/platform-key.js'

/** Rows in one transaction. A request that changes one of them waits until it ends. */
const BATCH = 100

interface Column {
  readonly table: SealedRow['table']
  readonly column: string
  readonly key: readonly string[]
}

const COLUMNS: readonly Column[] = [
  { table: 'platform_keys', column: 'seed_sealed', key: ['id'] },
  { table: 'api_keys', column: 'secret_sealed', key: ['id'] },
  { table: 'previous_api_keys', column: 'secret_sealed', key: ['public_id'] },
  { table: 'webhook_endpoints', column: 'secret_sealed', key: ['id'] },
  { table: 'webhook_endpoints', column: 'previous_secret_sealed', key: ['id'] },
  { table: 'idempotency_keys', column: 'response', key: ['merchant_id', 'key'] },
]

/**
 * Goes through every column that holds sealed secrets. Many processes may run it at once, and a call that was
 * killed is continued by the next one. The first call that completes binds the secrets of the earlier format
 * to their rows; afterwards no unbound secret opens. `loadPlatformKey` must have stored the platform key
 * before.
 *
 * @param masterKeys - Master keys that open secrets, the sealing one first.
 * @returns How many secrets were sealed again.
 * @throws Error if none of the keys opens a secret, after all others are sealed again. The key that the error
 * names is still needed.
 */
export async function resealSecrets(sql: Sql, masterKeys: readonly [string, ...string[]]): Promise<number> {
  const [platform] = await sql<{ bound: boolean }[]>`
    SELECT secrets_bound_at IS NOT NULL AS bound FROM platform_keys`
  const binds = platform?.bound === false
  let sealed = 0
  const failures: unknown[] = []
  for (const column of COLUMNS) {
    for (let last: readonly string[] | null = []; last !== null; ) {
      const after: readonly string[] = last
      const batch = await inTransaction(sql, (tx) => resealBatch(tx, column, masterKeys, binds, after))
      sealed += batch.sealed
      failures.push(...batch.failures)
      last = batch.last
    }
  }
  if (failures.length > 0) throw failures[0]
  if (binds) await sql`UPDATE platform_keys SET secrets_bound_at = clock_timestamp()`
  return sealed
}

interface Resealed {
  readonly sealed: number
  /** Errors of the rows that could not be opened. The other rows are sealed again all the same. */
  readonly failures: readonly unknown[]
  /** Key of the last row of a full batch. `null` if no batch follows. */
  readonly last: readonly string[] | null
}

/** Seals one batch again. @param after - Key of the last row of the previous batch. Empty at the beginning. */
async function resealBatch(
  tx: Transaction,
  { table, column, key }: Column,
  masterKeys: readonly [string, ...string[]],
  binds: boolean,
  after: readonly string[],
): Promise<Resealed> {
  const head = sealedHead(masterKeys[0])
  const rows = await tx<(Record<string, string> & { sealed: Buffer })[]>`
    SELECT ${tx([...key])}, ${tx(column)} AS sealed FROM ${tx(table)}
    WHERE octet_length(${tx(column)}) > 0 AND substring(${tx(column)} FROM 1 FOR ${head.length}::int) <> ${head}
      ${after.length === 0 ? tx`` : tx`AND ROW (${tx([...key])}) > ROW (${after[0] ?? ''} ${after.length > 1 ? tx`, ${after[1] ?? ''}` : tx``})`}
    ORDER BY ${tx([...key])} LIMIT ${BATCH} FOR UPDATE`
  const failures: unknown[] = []
  for (const row of rows) {
    const sealedRow: SealedRow =
      table === 'platform_keys' ? PLATFORM_ROW : { table, key: key.map((name) => row[name] ?? '') }
    let secret: Buffer
    try {
      secret =
        binds && !isBound(row.sealed)
          ? openUnbound(masterKeys, row.sealed)
          : openSecret(masterKeys, row.sealed, sealedRow)
    } catch (error) {
      failures.push(error)
      continue
    }
    const where = key.map((name) => tx`${tx(name)} = ${row[name] ?? ''}`)
    const [first, second = tx`true`] = where
    await tx`
      UPDATE ${tx(table)} SET ${tx(column)} = ${sealSecret(masterKeys[0], secret, sealedRow)}
      WHERE ${first ?? tx`false`} AND ${second}`
  }
  const last = rows.length < BATCH ? undefined : rows.at(-1)
  return {
    sealed: rows.length - failures.length,
    failures,
    last: last ? key.map((name) => last[name] ?? '') : null,
  }
}
