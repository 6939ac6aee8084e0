/**
 * Measures how long the events of healthy endpoints take while a tenth of all deliveries go to endpoints that never answer,
 * beside the same pace without these.
 */

import { TASK_QUEUE } from '../temporal/task-queues.js'
import { startChild } from './child.js'
import type { BenchContext } from './context.js'
import type { DeadPorts } from './dead-receiver.js'
import { latencies, merchantWith } from './event-latency.js'
import { type Measurement, quantile } from './measurement.js'
import { startPlatform } from './platform.js'
import { startBenchTemporal } from './temporal.js'

/** Deliveries in all, unless `BENCH_DELIVERIES` says otherwise. */
const DELIVERIES = 10_000
/** Endpoints, each of a merchant of its own. One in ten is a black hole. */
const ENDPOINTS = 100
const TENTH = 10
/** Pause between two healthy events: about half of what two processors deliver. */
const PACE_MS = 36
const WARM_UP = 100
/** Healthy events of the measurement without black holes: enough for its 99th percentile. */
const REFERENCE = 2_000
/** Most times the latency without black holes. */
const MOST_TIMES = 2

/** Measures healthy endpoints beside black holes. */
export async function benchBlackHoles(context: BenchContext): Promise<Measurement[]> {
  const deliveries = Number(process.env.BENCH_DELIVERIES ?? DELIVERIES)
  const temporal = await startBenchTemporal(context)
  const client = await temporal.namespace('black-holes')
  const { sql, url } = await context.database({ max: 20 })
  const healthy = await startChild<{ port: number }>('./receiver.ts', null)
  context.onEnd(() => healthy.stop())
  const dead = await startChild<DeadPorts>('./dead-receiver.ts', null)
  context.onEnd(() => dead.stop())
  const receiver = `http://127.0.0.1:${healthy.facts.port}/`
  const merchants: string[] = []
  const holes = new Set<string>()
  for (let index = 0; index < ENDPOINTS; index++) {
    const isHole = index % TENTH === 0
    const target = isHole ? `http://127.0.0.1:${dead.facts.hanging}/${index}` : receiver
    const merchant = await merchantWith(sql, [target])
    merchants.push(merchant)
    if (isHole) holes.add(merchant)
  }
  const shops = merchants.filter((each) => !holes.has(each))
  await startPlatform(context, {
    temporal,
    client,
    sql,
    url,
    networks: new Map(),
    adapters: new Map(),
    queues: [TASK_QUEUE.webhooks],
  })
  await latencies(sql, shops, receiver, { count: WARM_UP, paceMs: PACE_MS })
  const count = Math.min(REFERENCE, deliveries)
  const without = await latencies(sql, shops, receiver, { count, paceMs: PACE_MS })
  context.progress(`  ${deliveries} deliveries, ${ENDPOINTS / TENTH} of ${ENDPOINTS} endpoints never answer`)
  const beside = await latencies(sql, merchants, receiver, {
    count: deliveries,
    // The healthy ones have the pace that they had without.
    paceMs: (PACE_MS * (TENTH - 1)) / TENTH,
    unmeasured: (merchant) => holes.has(merchant),
  })
  const [tried] = await sql<{ attempts: number; pending: number }[]>`
    SELECT coalesce(sum(attempts), 0)::int AS attempts, count(*) FILTER (WHERE status = 'pending')::int AS pending
    FROM webhook_deliveries WHERE merchant_id = ANY (${[...holes]})`
  return ([0.5, 0.99] as const).map((share) => {
    const ours = quantile(beside, share)
    const reference = quantile(without, share)
    return {
      name: `event to receipt beside a tenth of black holes, p${share * 100}`,
      unit: 'ms',
      ours,
      against: 'without black holes',
      reference,
      ratio: reference / ours,
      expected: 1 / MOST_TIMES,
      note: `${tried?.pending ?? 0} deliveries of black holes pending, after ${tried?.attempts ?? 0} attempts`,
    }
  })
}
