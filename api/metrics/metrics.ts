/** Collects the Prometheus metrics of an API process, and those of the database, at most some seconds old. */

import type { MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Sql } from '../../db/connect.js'
import { type Gauges, readGauges } from '../../db/operations/read-gauges.js'
import { readTreasuryGauges } from '../../db/operations/read-treasury-gauges.js'
import { readWithdrawalGauges } from '../../db/operations/read-withdrawal-gauges.js'
import type { Networks } from '../../domain/chain/network.js'
import type { ApiEnv } from '../context.js'
import { createTreasuryGauges } from './treasury-metrics.js'
import { describeWithdrawals } from './withdrawal-metrics.js'

export interface Metrics {
  /** Counts and measures every request by method, route and status. */
  readonly observe: MiddlewareHandler<ApiEnv>
  /** Returns the text exposition. It lacks the database's figures while the database is down. */
  readonly expose: () => Promise<{ readonly contentType: string; readonly body: string }>
}

/** Age up to which the database's figures are reused, because reading them costs queries over all merchants. */
const CACHE_MS = 5_000

/** Creates the registry of an app. @param cacheMs - Age up to which the database's figures are reused. */
export function createMetrics(sql: Sql, networks: Networks, cacheMs: number = CACHE_MS): Metrics {
  const registers = [new Registry()]
  const registry = registers[0] as Registry
  collectDefaultMetrics({ register: registry })
  const duration = new Histogram({
    name: 'keyturn_http_request_duration_seconds',
    help: 'Time from request to answer',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
    registers,
  })
  const show = createGauges(registers)
  const showTreasury = createTreasuryGauges(registers, networks)
  let latest: { readonly at: number; readonly withdrawals: Promise<string> } | null = null
  /** Sets the gauges. @returns The text that is appended to them. */
  const readDatabase = async (): Promise<string> => {
    try {
      show(await readGauges(sql))
      showTreasury(await readTreasuryGauges(sql))
      return describeWithdrawals(await readWithdrawalGauges(sql))
    } catch {
      show(null)
      showTreasury(null)
      return ''
    }
  }
  return {
    async observe(c, next) {
      const end = duration.startTimer()
      await next()
      const route = matchedRoutes(c).findLast((each) => each.method !== 'ALL')?.path ?? 'unknown'
      end({ method: c.req.method, route, status: c.res.status })
    },
    async expose() {
      const now = performance.now()
      // Concurrent scrapes share one reading, even while it is under way.
      if (latest === null || now - latest.at >= cacheMs) latest = { at: now, withdrawals: readDatabase() }
      const withdrawals = await latest.withdrawals
      return { contentType: registry.contentType, body: `${await registry.metrics()}${withdrawals}` }
    },
  }
}

function createGauges(registers: Registry[]): (gauges: Gauges | null) => void {
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name: `keyturn_${name}`, help, labelNames, registers })
  const up = gauge('postgres_up', 'Whether PostgreSQL answered the scrape')
  const scanned = gauge('chain_scanned_height', 'Height up to which a chain was scanned', ['network'])
  const lag = gauge('chain_lag_blocks', 'Blocks between the head of a chain and the scanned height', [
    'network',
  ])
  const ok = gauge('chain_healthy', '1 while the node of a chain answers', ['network'])
  const node = gauge(
    'node_usable',
    '1 while a node of a network may be used; `state` gives the reason why not',
    ['network', 'endpoint', 'state'],
  )
  const unsealed = gauge('events_unsealed', 'Events that wait for their sequence')
  const putOff = gauge('put_off', 'Rows that cannot be served and were postponed', ['what'])
  const pending = gauge('webhook_deliveries_pending', 'Webhook deliveries that are pending')
  const circuits = gauge('webhook_circuits', 'Webhook endpoints whose circuit is not closed', ['state'])
  const open = gauge('deposits_open', 'Deposits on their way to success')
  const small = gauge(
    'small_transfers',
    'Transfers below the minimum of their network, which are counted but not credited',
    ['network', 'coin'],
  )
  return (gauges) => {
    up.set(gauges ? 1 : 0)
    if (!gauges) return
    for (const chain of gauges.chains) {
      scanned.set({ network: chain.network }, chain.scanned)
      lag.set({ network: chain.network }, chain.lag)
      ok.set({ network: chain.network }, chain.ok ? 1 : 0)
    }
    // A previous state of a node must not stay beside its new one.
    node.reset()
    for (const { network, endpoint, state } of gauges.nodes) {
      node.set({ network, endpoint, state }, state === 'ok' ? 1 : 0)
    }
    unsealed.set(gauges.unsealedEvents)
    for (const [what, count] of Object.entries(gauges.putOff)) putOff.set({ what }, count)
    pending.set(gauges.pendingDeliveries)
    for (const [state, count] of Object.entries(gauges.circuits)) circuits.set({ state }, count)
    open.set(gauges.openDeposits)
    for (const { network, coin, transfers } of gauges.smallTransfers) small.set({ network, coin }, transfers)
  }
}
