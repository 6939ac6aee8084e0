/** Seals again under the sealing master key whatever is sealed under another one, a few rows at a time and while everything runs. */

import type { Sql, Transaction } from './connect.js'
import { PLATFORM_ROW } from './platform-key.js'
import { isBound, openSecret, openUnbound, type SealedRow, sealedHead, sealSecret } from './seal-secret.js'

/** Rows in one transaction: requests that change one of them wait that long. */
const BATCH = 100

interface Column {
  readonly table: SealedRow['table']
  readonly column: string
  readonly key: readonly string[]
}

const COLUMNS: readonly Column[] = [
  { table: 'platform_keys', column: 'seed_sealed', key: ['id'] },
  { table: 'api_keys', column: 'secret_sealed', key: ['id'] },
  { table: 'webhook_endpoints', column: 'secret_sealed', key: ['id'] },
  { table: 'webhook_endpoints', column: 'previous_secret_sealed', key: ['id'] },
  { table: 'idempotency_keys', column: 'response', key: ['merchant_id', 'key'] },
]

/**
 * Goes through every column that holds something sealed. Safe in many processes at once, and to repeat: what is killed in between
 * goes on at the next call. What was sealed before secrets were bound to rows is bound the first time that this ends; afterwards
 * nothing unbound opens any more. The platform key is stored already (`loadPlatformKey`).
 *
 * @param masterKeys - Those that open, the sealing one first.
 * @returns How many secrets were sealed again.
 * @throws Error when one opens with none of the keys: then the key that it names is still needed.
 */
export async function resealSecrets(sql: Sql, masterKeys: readonly [string, ...string[]]): Promise<number> {
  const [platform] = await sql<{ bound: boolean }[]>`
    SELECT secrets_bound_at IS NOT NULL AS bound FROM platform_keys`
  const binds = platform?.bound === false
  let sealed = 0
  for (const column of COLUMNS) {
    for (;;) {
      const more = (await sql.begin((tx) => resealBatch(tx, column, masterKeys, binds))) as number
      sealed += more
      if (more < BATCH) break
    }
  }
  if (binds) await sql`UPDATE platform_keys SET secrets_bound_at = clock_timestamp()`
  return sealed
}

async function resealBatch(
  tx: Transaction,
  { table, column, key }: Column,
  masterKeys: readonly [string, ...string[]],
  binds: boolean,
): Promise<number> {
  const head = sealedHead(masterKeys[0])
  const rows = await tx<(Record<string, string> & { sealed: Buffer })[]>`
    SELECT ${tx([...key])}, ${tx(column)} AS sealed FROM ${tx(table)}
    WHERE octet_length(${tx(column)}) > 0 AND substring(${tx(column)} FROM 1 FOR ${head.length}::int) <> ${head}
    ORDER BY ${tx([...key])} LIMIT ${BATCH} FOR UPDATE`
  for (const row of rows) {
    const sealedRow: SealedRow =
      table === 'platform_keys' ? PLATFORM_ROW : { table, key: key.map((name) => row[name] ?? '') }
    const secret =
      binds && !isBound(row.sealed)
        ? openUnbound(masterKeys, row.sealed)
        : openSecret(masterKeys, row.sealed, sealedRow)
    const where = key.map((name) => tx`${tx(name)} = ${row[name] ?? ''}`)
    const [first, second = tx`true`] = where
    await tx`
      UPDATE ${tx(table)} SET ${tx(column)} = ${sealSecret(masterKeys[0], secret, sealedRow)}
      WHERE ${first ?? tx`false`} AND ${second}`
  }
  return rows.length
}
