/** Brings a database to the newest schema: applies every file of `migrations/` once, in order. */

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { inTransaction, type Sql } from './connect.js'

const DIRECTORY = new URL('./migrations/', import.meta.url)
/** Advisory lock that keeps processes from migrating at the same time. Its value is arbitrary. */
const LOCK = 7_246_114_001

/**
 * Applies the missing migrations. Many processes may run it at once.
 *
 * @returns The names of the files that this call applied.
 * @throws Error if the file of an applied migration has changed.
 */
export async function migrate(sql: Sql): Promise<string[]> {
  return inTransaction(sql, async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(${LOCK})`
    await tx`CREATE TABLE IF NOT EXISTS schema_migrations (
      name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`
    const applied = new Map(
      (await tx<{ name: string; sha256: string }[]>`SELECT name, sha256 FROM schema_migrations`).map(
        (row) => [row.name, row.sha256],
      ),
    )
    const names: string[] = []
    for (const name of (await readdir(DIRECTORY)).filter((each) => each.endsWith('.sql')).sort()) {
      const text = await readFile(new URL(name, DIRECTORY), 'utf8')
      const sha256 = createHash('sha256').update(text).digest('hex')
      const known = applied.get(name)
      if (known === sha256) continue
      if (known !== undefined)
        throw new Error(`Migration ${name} was changed after it was applied; add a new one instead`)
      await tx.unsafe(text).simple()
      await tx`INSERT INTO schema_migrations (name, sha256) VALUES (${name}, ${sha256})`
      names.push(name)
    }
    return names
  })
}
