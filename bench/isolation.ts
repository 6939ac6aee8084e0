/**
 * Measures how long the events of a healthy endpoint take while thousands of deliveries wait for endpoints that
 * do not work, beside the same measurement before there were any.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { WorkflowClient } from '@temporalio/client'
import { pino } from 'pino'
import type { Sql } from '../db/connect.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'
import { startDeliveries } from '../workers/start-deliveries.js'
import { startChild } from './child.js'
import type { BenchContext } from './context.js'
import type { DeadPorts } from './dead-receiver.js'
import { happen, latencies, merchantWith } from './event-latency.js'
import { type Measurement, quantile } from './measurement.js'
import { startPlatform } from './platform.js'
import { startBenchTemporal } from './temporal.js'

/** Deliveries that wait for dead endpoints. */
const DEAD_DELIVERIES = 10_000
/** Dead endpoints of each kind. */
const OF_EACH_KIND = 2
/** A fifth of the usual interval, so that the load of retries is five times the usual one. */
const RETRY_INTERVAL = '1m'
const WARM_UP = 50
const SAMPLES = 200
const PACE_MS = 200
/** Most times the latency without dead endpoints. */
const MOST_TIMES = 2
const EVENTS_AT_ONCE = 200

/** Measures the isolation of endpoints from each other. */
export async function benchIsolation(context: BenchContext): Promise<Measurement[]> {
  const temporal = await startBenchTemporal(context)
  const client = await temporal.namespace('isolation')
  const { sql, url } = await context.database({ max: 20 })
  const healthy = await startChild<{ port: number }>('./receiver.ts', null)
  context.onEnd(() => healthy.stop())
  const dead = await startChild<DeadPorts>('./dead-receiver.ts', null)
  context.onEnd(() => dead.stop())
  const receiver = `http://127.0.0.1:${healthy.facts.port}/`
  const shop = await merchantWith(sql, [receiver])
  const { hanging, failing, refusing } = dead.facts
  const urls = Array.from({ length: OF_EACH_KIND }, () => [hanging, failing, refusing])
    .flat()
    .map((port, index) => `http://127.0.0.1:${port}/${index}`)
  const broken = await merchantWith(sql, urls)
  await startPlatform(context, {
    temporal,
    client,
    sql,
    url,
    networks: new Map(),
    adapters: new Map(),
    queues: [TASK_QUEUE.webhooks],
    settings: { KEYTURN_WEBHOOK_RETRY_INTERVAL: RETRY_INTERVAL },
  })
  await latencies(sql, [shop], receiver, { count: WARM_UP, paceMs: PACE_MS })
  const without = await latencies(sql, [shop], receiver, { count: SAMPLES, paceMs: PACE_MS })
  const began = performance.now()
  const events = Math.ceil(DEAD_DELIVERIES / urls.length)
  for (let made = 0; made < events; made += EVENTS_AT_ONCE) {
    await happen(sql, broken, Math.min(EVENTS_AT_ONCE, events - made))
  }
  await untilStarted(sql, client.workflow)
  context.progress(
    `  ${events * urls.length} deliveries started in ${Math.round((performance.now() - began) / 1_000)} s`,
  )
  const during = await latencies(sql, [shop], receiver, { count: SAMPLES, paceMs: PACE_MS })
  const [left] = await sql<{ pending: number }[]>`
    SELECT count(*)::int AS pending FROM webhook_deliveries WHERE status = 'pending' AND merchant_id = ${broken}`
  const note = `${left?.pending ?? 0} deliveries of dead endpoints pending`
  return ([0.5, 0.99] as const).map((share) => {
    const ours = quantile(during, share)
    const reference = quantile(without, share)
    return {
      name: `healthy event to receipt beside dead endpoints, p${share * 100}`,
      unit: 'ms',
      ours,
      against: 'without dead endpoints',
      reference,
      ratio: reference / ours,
      expected: 1 / MOST_TIMES,
      note,
    }
  })
}

/** Waits until each delivery has a workflow. It starts the waiting ones sooner than the sealer does. */
async function untilStarted(sql: Sql, client: WorkflowClient): Promise<void> {
  const log = pino({ level: 'error' })
  for (;;) {
    await startDeliveries(sql, { client }, log, 'waiting')
    const [row] = await sql`
      SELECT 1 AS bench_poll FROM webhook_deliveries WHERE workflow_started_at IS NULL AND status = 'pending' LIMIT 1`
    if (!row) return
    await sleep(50)
  }
}
