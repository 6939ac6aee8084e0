/** Runs the API process: environment, database, Temporal's client, HTTP. It stops gracefully on SIGTERM and SIGINT. */

import type { Server } from 'node:http'
import { Client, Connection } from '@temporalio/client'
import { pino } from 'pino'
import { type Environment, loadEnvironment } from '../config/load-environment.js'
import { masterKeysOf } from '../config/master-keys.js'
import { createApiKeyCache } from '../db/access/create-api-key-cache.js'
import { purgeNonces } from '../db/access/purge-nonces.js'
import { purgeRequests } from '../db/access/purge-requests.js'
import { storeExceptionTerms } from '../db/books/exceptions/store-exception-terms.js'
import { rememberCoins } from '../db/chain/remember-coins.js'
import { connect, type Sql } from '../db/connect.js'
import { isDatabaseDown } from '../db/database-errors.js'
import { migrate } from '../db/migrate.js'
import { loadNetworks } from '../networks/load-networks.js'
import { liveCheckouts } from './checkout/checkout.js'
import { createApp } from './create-app.js'
import { listen } from './http/listen.js'
import { keepSealed } from './keep-sealed.js'
import { createMetrics, type Metrics } from './metrics/metrics.js'
import { createMetricsApp } from './metrics/metrics-app.js'
import { followSanctions } from './sources/follow-sanctions.js'
import { openGeography } from './sources/open-geography.js'

const PURGE_INTERVAL_MS = 60_000
const DATABASE_RETRY_MS = 1_000
/** Time for requests under way. A signer's long poll may last 25 s, but the signer connects again by itself. */
const SHUTDOWN_MS = 5_000
const POOL_SIZE = 24
/** Limit of an idle transaction, far above the time that a handler's transaction waits. */
const IDLE_IN_TRANSACTION_MS = 30_000

const environment = loadEnvironment()
const log = pino({ name: 'api', level: environment.KEYTURN_LOG_LEVEL })

async function main(): Promise<void> {
  const configured = await loadNetworks()
  await migrateWhenUp()
  const sql = connect(environment.KEYTURN_DATABASE_URL, {
    max: POOL_SIZE,
    name: 'keyturn-api',
    timeouts: {
      lock: environment.KEYTURN_LOCK_TIMEOUT,
      statement: environment.KEYTURN_STATEMENT_TIMEOUT,
      idleInTransaction: IDLE_IN_TRANSACTION_MS,
    },
  })
  const networks = await rememberCoins(sql, configured)
  await storeExceptionTerms(sql, environment.KEYTURN_EXCEPTION_DUE)
  // The connection is lazy, so the API accepts requests while Temporal is down. gRPC reconnects by itself.
  const connection = Connection.lazy({ address: environment.KEYTURN_TEMPORAL_ADDRESS })
  const { workflow, schedule } = new Client({ connection, namespace: environment.KEYTURN_TEMPORAL_NAMESPACE })
  await keepSealed(sql, environment, log, true)
  const apiKeys = createApiKeyCache(sql, masterKeysOf(environment))
  await apiKeys.listen()
  const { KEYTURN_GEOIP_FILE, KEYTURN_SANCTIONS_FILE } = environment
  const geography = KEYTURN_GEOIP_FILE === undefined ? null : await openGeography(KEYTURN_GEOIP_FILE)
  const sanctions = KEYTURN_SANCTIONS_FILE === undefined ? null : followSanctions(sql, KEYTURN_SANCTIONS_FILE)
  // The API must not accept withdrawals before the sanctions list is loaded.
  if (sanctions) log.info({ addresses: await sanctions() }, 'loaded the sanctions list')
  const metrics = createMetrics(sql, networks)
  const dependencies = { sql, networks, environment, temporal: { workflow, schedule }, log, geography }
  const live = liveCheckouts(dependencies)
  const app = createApp(dependencies, { apiKeys, metrics, live })
  const server = await listen(app, {
    host: environment.KEYTURN_API_HOST,
    port: environment.KEYTURN_API_PORT,
  })
  log.info(server.address(), 'listening')
  const metricsServer = await serveMetrics(metrics)
  const purging = setInterval(() => {
    purge(sql, environment)
    void keepSealed(sql, environment, log, false)
    sanctions?.().then(
      (addresses) => addresses !== null && log.info({ addresses }, 'reloaded the sanctions list'),
      (error: unknown) =>
        log.error({ err: error }, 'the sanctions list cannot be read; the previous one stays'),
    )
  }, PURGE_INTERVAL_MS)

  let stopping = false
  const stop = (signal: string): void => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    clearInterval(purging)
    const hurry = setTimeout(() => {
      server.closeAllConnections()
    }, SHUTDOWN_MS)
    // An open stream would keep the server from closing. Browsers connect to another process.
    void live.close()
    metricsServer?.close()
    metricsServer?.closeAllConnections()
    server.close(async () => {
      clearTimeout(hurry)
      await Promise.allSettled([sql.end({ timeout: 2 }), connection.close()])
      process.exit(0)
    })
    server.closeIdleConnections()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

/** Serves the metrics. A process that cannot get the port, such as a second one on this machine, runs without them. */
async function serveMetrics(metrics: Metrics): Promise<Server | null> {
  const { KEYTURN_METRICS_HOST: host, KEYTURN_METRICS_PORT: port } = environment
  if (port === 0) return null
  try {
    return await listen(createMetricsApp(metrics), { host, port })
  } catch (error) {
    log.error({ err: error, host, port }, 'metrics cannot be served there; set KEYTURN_METRICS_PORT')
    return null
  }
}

/**
 * Migrates once PostgreSQL is there. It uses its own connection, because a migration may take longer than a
 * request.
 */
async function migrateWhenUp(): Promise<void> {
  const sql = connect(environment.KEYTURN_DATABASE_URL, { max: 1, name: 'keyturn-api migrations' })
  for (;;) {
    try {
      const applied = await migrate(sql)
      if (applied.length > 0) log.info({ applied }, 'migrated')
      await sql.end({ timeout: 2 })
      return
    } catch (error) {
      if (!isDatabaseDown(error)) throw error
      log.warn('PostgreSQL cannot be reached; retrying')
      await new Promise((resolve) => setTimeout(resolve, DATABASE_RETRY_MS))
    }
  }
}

function purge(sql: Sql, { KEYTURN_IDEMPOTENCY_WINDOW }: Environment): void {
  Promise.all([purgeNonces(sql), purgeRequests(sql, KEYTURN_IDEMPOTENCY_WINDOW)]).catch((error: unknown) =>
    log.warn({ err: error }, 'expired nonces and idempotency keys were not deleted'),
  )
}

main().catch((error: unknown) => {
  log.fatal({ err: error }, 'the API could not start')
  process.exit(1)
})
