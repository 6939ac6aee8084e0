/**
 * Shares real parts among all test files: starts a part when the first test asks for it, and ends it with the
 * run. Each test file runs in its own process, so it asks this process over HTTP.
 */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { connect } from '../../db/connect.js'
import { migrate } from '../../db/migrate.js'
import { freePort } from '../../local/parts/free-port.js'
import { startPostgres } from '../../local/parts/postgres.js'
import type { RunningProcess } from '../../local/parts/start-process.js'
import { startTemporal } from '../../local/parts/temporal.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the process that shares the real parts. */
    parts: string
  }
}

/** Name of the migrated database that each test's database copies. */
export const TEMPLATE_DATABASE = 'keyturn_template'

const running: RunningProcess[] = []
let directory = ''
let server: ReturnType<typeof createServer> | undefined

/** Starts the server for parts. Vitest calls this before the first test file. */
export async function setup(project: TestProject): Promise<void> {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-test-'))
  const parts: Record<string, () => Promise<unknown>> = {
    '/postgres': once(sharePostgres),
    '/temporal': once(shareTemporal),
  }
  server = createServer((request, response) => {
    const share = parts[request.url ?? '']
    if (!share) {
      response.writeHead(404).end()
      return
    }
    share().then(
      (facts) => response.end(JSON.stringify(facts)),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    )
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve))
  project.provide('parts', `http://127.0.0.1:${port}`)
}

/** Ends all parts. Vitest calls this after the last test file. */
export async function teardown(): Promise<void> {
  server?.close()
  server?.closeAllConnections()
  await Promise.all(running.map((part) => part.stop()))
  rmSync(directory, { recursive: true, force: true })
}

async function sharePostgres(): Promise<{ url: string }> {
  const existing = process.env.KEYTURN_POSTGRES_URL
  const url = existing ?? (await startTestPostgres())
  const admin = connect(url, { max: 1 })
  // A server that outlives the run may hold an older template, whose migrations have changed since.
  await admin.unsafe(`DROP DATABASE IF EXISTS ${TEMPLATE_DATABASE}`)
  await admin.unsafe(`CREATE DATABASE ${TEMPLATE_DATABASE}`)
  await admin.end()
  const template = connect(databaseUrl(url, TEMPLATE_DATABASE), { max: 1 })
  await migrate(template)
  await template.end()
  return { url }
}

async function startTestPostgres(): Promise<string> {
  const postgres = await startPostgres({
    dataDirectory: join(directory, 'postgres'),
    port: await freePort(),
    password: randomBytes(16).toString('hex'),
    logFile: join(directory, 'postgres.log'),
    // No data outlives the run, so none must reach the disk. Tests that kill PostgreSQL start one of their
    // own.
    settings: { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', max_connections: '500' },
  })
  running.push(postgres)
  return postgres.url
}

async function shareTemporal(): Promise<{ address: string; ui: string | null }> {
  const temporal = await startTemporal(
    {
      port: await freePort(),
      uiPort: await freePort(),
      databaseFile: null,
      logFile: join(directory, 'temporal.log'),
    },
    console.log,
  )
  running.push(temporal)
  return { address: temporal.address, ui: temporal.ui }
}

function databaseUrl(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}

/**
 * Returns a function that starts once for all callers. When the start fails, all callers get the error and
 * the next one tries again.
 */
function once<T>(start: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined
  return () => {
    started ??= start().catch((error: unknown) => {
      started = undefined
      throw error
    })
    return started
  }
}
