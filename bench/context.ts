/** Starts the real parts of a bench run once, and ends them with it. */

import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Sql } from '../db/connect.js'
import { migrate } from '../db/migrate.js'
import { freePort } from '../local/parts/free-port.js'
import { startPostgres } from '../local/parts/postgres.js'

export interface BenchContext {
  /** Creates a new, migrated database. */
  database(options?: { readonly max?: number }): Promise<{ readonly sql: Sql; readonly url: string }>
  /** URL of the database server, for parts that create their own databases. */
  readonly postgresUrl: string
  /** Directory for the files of parts. It is removed at the end. */
  readonly directory: string
  /** Registers a function that stops a part at the end. The last one runs first. */
  onEnd(stop: () => Promise<void>): void
  /** Shows progress on standard error. */
  progress(text: string): void
}

/** Starts PostgreSQL. Each bench starts the other parts that it needs. */
export async function openContext(): Promise<BenchContext & { close(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-bench-'))
  // PostgreSQL runs as another user when we are root, and that user must reach the directory.
  await chmod(directory, 0o711)
  const stops: (() => Promise<void>)[] = [() => rm(directory, { recursive: true, force: true })]
  const postgres = await startPostgres({
    port: await freePort(),
    dataDirectory: join(directory, 'postgres'),
    password: randomBytes(16).toString('hex'),
    logFile: join(directory, 'postgres.log'),
    settings: {
      max_connections: '300',
      shared_buffers: '512MB',
      // The extension counts nothing before `countCost` switches it on.
      shared_preload_libraries: 'pg_stat_statements',
    },
  })
  stops.push(() => postgres.stop())
  const server = connect(postgres.url, { max: 1 })
  await server.unsafe(`ALTER SYSTEM SET pg_stat_statements.track = 'none'`)
  await server`SELECT pg_reload_conf()`
  await server.end()
  let databases = 0
  let closing: Promise<void> | undefined
  async function stopAll(): Promise<void> {
    for (const stop of stops.reverse()) await stop()
  }
  return {
    directory,
    postgresUrl: postgres.url,
    onEnd: (stop) => stops.push(stop),
    progress: (text) => process.stderr.write(`${text}\n`),
    async database(options = {}) {
      const name = `bench_${++databases}`
      const admin = connect(postgres.url, { max: 1 })
      await admin.unsafe(`CREATE DATABASE ${name}`)
      await admin.end()
      const url = new URL(postgres.url)
      url.pathname = `/${name}`
      const sql = connect(url.href, { max: options.max ?? 10, name: 'keyturn-bench' })
      await migrate(sql)
      stops.push(() => sql.end({ timeout: 1 }))
      return { sql, url: url.href }
    },
    close() {
      closing ??= stopAll()
      return closing
    },
  }
}
