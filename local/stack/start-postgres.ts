/** Starts the stack's database. */

import { connect } from '../../db/connect.js'
import { migrate } from '../../db/migrate.js'
import { startPostgres } from '../parts/postgres.js'
import type { Home } from './home.js'
import type { Ports } from './ports.js'
import type { StackState } from './state.js'
import type { Supervisor } from './supervisor.js'

const DATABASE = 'keyturn'

/**
 * Starts PostgreSQL, or uses the server of `KEYTURN_POSTGRES_URL`. Creates and migrates the database.
 *
 * @returns The database's URL.
 */
export async function startDatabase(stack: {
  readonly home: Home
  readonly ports: Ports
  readonly state: StackState
  readonly supervisor: Supervisor
}): Promise<string> {
  const { home, ports, state, supervisor } = stack
  const server =
    process.env.KEYTURN_POSTGRES_URL ??
    (
      await supervisor.keepPart('postgres', () =>
        startPostgres({
          dataDirectory: home.file('postgres'),
          port: ports.postgres,
          password: state.postgres_password,
          logFile: home.log('postgres'),
        }),
      )
    ).url
  const admin = connect(server, { max: 1 })
  const url = new URL(server)
  url.pathname = `/${DATABASE}`
  try {
    const [known] = await admin`SELECT 1 FROM pg_database WHERE datname = ${DATABASE}`
    if (!known) await admin.unsafe(`CREATE DATABASE ${DATABASE}`)
  } finally {
    await admin.end({ timeout: 1 })
  }
  const sql = connect(url.href, { max: 1 })
  try {
    await migrate(sql)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(
      `The database cannot be brought to this version: ${reason}. npm start -- --fresh deletes the data of another version`,
      { cause: error },
    )
  } finally {
    await sql.end({ timeout: 1 })
  }
  return url.href
}
