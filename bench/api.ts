/**
 * Measures API requests a second with full authentication, beside a bare route with one query. Servers and
 * load are processes apart.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import { signRequest } from '../client/sign-request.js'
import { createApiKey } from '../db/access/create-api-key.js'
import type { Sql } from '../db/connect.js'
import { freePort } from '../local/parts/free-port.js'
import { startProcess, untilReady } from '../local/parts/start-process.js'
import { answers } from '../local/stack/start-node.js'
import { alternate } from './alternate.js'
import { startChild } from './child.js'
import type { BenchContext } from './context.js'
import { type Measurement, rate } from './measurement.js'
import { createBenchMerchant } from './merchant.js'

const EXPECTED = 0.4
const ROUNDS = 5
const SECONDS = 3
/** Connections of the load. All are kept alive. */
const CONNECTIONS = 50
/** Connections to the database that `api/main.ts` opens. */
const DATABASE_CONNECTIONS = 20
const ADDRESSES = 10_000
/** Master key of the API processes of benches. */
export const MASTER_KEY = '11'.repeat(32)

/**
 * Measures `GET /api/v1/addresses/{id}`: HMAC, time window, nonce claimed in the database, rate limit, scope,
 * query, answer.
 */
export async function benchApi(context: BenchContext): Promise<Measurement[]> {
  const { sql, url } = await context.database()
  const merchant = await createBenchMerchant(sql)
  await merchant.watch('bitcoin', ADDRESSES)
  const key = await createApiKey(sql, MASTER_KEY, {
    merchantId: merchant.id,
    name: 'bench',
    scopes: ['read'],
    ipAllowlist: [],
    rateLimitPerMinute: 100_000_000,
  })
  const ids = await addressIds(sql)
  const port = await startApi(context, url)
  const bare = await startChild<{ port: number }>('./bare-api.ts', {
    url,
    connections: DATABASE_CONNECTIONS,
  })
  context.onEnd(() => bare.stop())

  const load = (server: { port: number; prefix: string }) => {
    const pool = new Pool(`http://127.0.0.1:${server.port}`, { connections: CONNECTIONS })
    context.onEnd(() => pool.destroy())
    return () =>
      rate(SECONDS, CONNECTIONS, async (index) => {
        const path = `${server.prefix}/addresses/${ids[index % ids.length]}`
        // The bare server gets the same headers, because the load spends time on them.
        const headers = signRequest({
          apiKey: key.id,
          apiSecret: key.secret,
          method: 'GET',
          path,
          body: new Uint8Array(),
        })
        const response = await pool.request({ path, method: 'GET', headers })
        const text = await response.body.text()
        if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode}: ${text}`)
      })
  }
  const measured = await alternate(
    ROUNDS,
    load({ port, prefix: '/api/v1' }),
    load({ port: bare.facts.port, prefix: '' }),
  )
  return [
    {
      name: 'API requests, authenticated',
      unit: '/s',
      against: 'bare Hono route, one query',
      expected: EXPECTED,
      ...measured,
    },
  ]
}

async function addressIds(sql: Sql): Promise<string[]> {
  return (await sql<{ id: string }[]>`SELECT id FROM addresses`).map((row) => row.id)
}

/** Starts the API as it is deployed. @returns Its port. */
export async function startApi(
  context: BenchContext,
  databaseUrl: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<number> {
  return (await startApiProcess(context, databaseUrl, environment)).port
}

/** Starts the API as it is deployed. @returns Its port, and the id of its process. */
export async function startApiProcess(
  context: BenchContext,
  databaseUrl: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly port: number; readonly pid: number }> {
  const port = await freePort()
  const logFile = join(context.directory, 'api.log')
  const running = await startProcess({
    name: 'API',
    command: process.execPath,
    args: ['--import', 'tsx', 'api/main.ts'],
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: {
      KEYTURN_DATABASE_URL: databaseUrl,
      KEYTURN_MASTER_KEY: MASTER_KEY,
      KEYTURN_API_PORT: String(port),
      // No server listens there, because reading an address needs no Temporal.
      KEYTURN_TEMPORAL_ADDRESS: '127.0.0.1:1',
      ...environment,
    },
    logFile,
  })
  context.onEnd(() => running.stop())
  await untilReady(running, logFile, () => answers(`http://127.0.0.1:${port}/healthz`))
  return { port, pid: running.pid }
}
