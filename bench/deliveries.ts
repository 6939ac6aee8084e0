/**
 * Measures webhook deliveries a second, beside the same number of workflows with one empty activity each, and
 * the latency of one delivery when idle.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@temporalio/client'
import type { AttemptOutcome } from '../activities/events/attempt.js'
import { inTransaction, type Sql } from '../db/connect.js'
import { appendEvents } from '../db/events/log/append-events.js'
import { webhookDeliveryId } from '../temporal/ids.js'
import { startWebhookDelivery } from '../temporal/start.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'
import { alternate } from './alternate.js'
import { startChild } from './child.js'
import type { BenchContext } from './context.js'
import { type Cost, costLines, countCost } from './cost.js'
import { createBenchEndpoint } from './endpoint.js'
import { type Measurement, quantile } from './measurement.js'
import { createBenchMerchant } from './merchant.js'
import { startFloor, startPlatform } from './platform.js'
import type { Received } from './receiver.js'
import { type BenchTemporal, startBenchTemporal, untilClosed } from './temporal.js'

/** 1.4 times 0.85, which was the ratio when every attempt was an activity. */
const EXPECTED = 1.19
const ROUNDS = 5
const DELIVERIES = 400
/** Starts that run at the same time, on both sides. It is the sealer's number. */
const STARTS = 16
const IDLE_SAMPLES = 100
/**
 * Pause between two deliveries. It is longer than a delivery and its bookkeeping, so that only one is under
 * way.
 */
const IDLE_PAUSE_MS = 300
/** Targets from event to receipt when idle: the median, and what 99 of 100 stay below. */
const LATENCY_TARGETS_MS = { p50: 20, p99: 60 }
/** Budget of history events for a webhook that is delivered at the first attempt. */
const BUDGET = 7

/**
 * Measures deliveries. Ours is everything from the committed event to the recorded answer of the endpoint.
 */
export async function benchDeliveries(context: BenchContext): Promise<Measurement[]> {
  const temporal = await startBenchTemporal(context)
  const ours = await startOurs(context, temporal)
  const floor = await startOwnFloor(context, temporal)
  let cost: Cost | undefined
  const measured = await alternate(
    ROUNDS,
    async (round) => {
      let figure = 0
      const work = async () => {
        figure = await ours.deliver()
      }
      // The cost is counted in the warm-up round, whose time does not count.
      if (round === 0) cost = await countCost(ours.sql, work)
      else await work()
      return figure
    },
    () => floor(),
  )
  const latencies = await idleLatencies(ours)
  return [
    {
      name: 'webhook deliveries',
      unit: '/s',
      against: 'floor: activities that do nothing',
      expected: EXPECTED,
      ...measured,
    },
    latencyLine('p50', quantile(latencies, 0.5)),
    latencyLine('p99', quantile(latencies, 0.99)),
    await historyLine(ours),
    ...(cost ? costLines('a delivered webhook', cost, DELIVERIES) : []),
  ]
}

interface Ours {
  readonly sql: Sql
  readonly client: Client
  /** URL at which the endpoint lists the webhooks that it received. */
  readonly receiver: string
  /** Commits events. @returns Their ids. */
  happen(count: number): Promise<string[]>
  /** Delivers a round. @returns Deliveries a second. */
  deliver(): Promise<number>
}

async function startOurs(context: BenchContext, temporal: BenchTemporal): Promise<Ours> {
  const client = await temporal.namespace('ours')
  const { sql, url } = await context.database({ max: 20 })
  const receiver = await startChild<{ port: number }>('./receiver.ts', null)
  context.onEnd(() => receiver.stop())
  const target = `http://127.0.0.1:${receiver.facts.port}/`
  const merchant = await createBenchMerchant(sql)
  await createBenchEndpoint(sql, merchant.id, target)
  await startPlatform(context, {
    temporal,
    client,
    sql,
    url,
    networks: new Map(),
    adapters: new Map(),
    queues: [TASK_QUEUE.webhooks],
  })
  const happen = (count: number) =>
    inTransaction(sql, (tx) =>
      appendEvents(
        tx,
        Array.from({ length: count }, (_, index) => ({
          merchantId: merchant.id,
          type: 'deposit.status_changed',
          subject: `dep_${index}`,
          data: { id: `dep_${index}`, status: 'success', amount: '0.25', note: 'n'.repeat(600) },
        })),
      ),
    )
  return {
    sql,
    client,
    receiver: target,
    happen,
    async deliver() {
      const started = performance.now()
      await happen(DELIVERIES)
      await untilDelivered(sql)
      const figure = DELIVERIES / ((performance.now() - started) / 1_000)
      await untilClosed(client, 0)
      return figure
    },
  }
}

async function untilDelivered(sql: Sql): Promise<void> {
  for (;;) {
    const [row] = await sql`SELECT 1 AS bench_poll FROM webhook_deliveries WHERE status = 'pending' LIMIT 1`
    if (!row) return
    await sleep(20)
  }
}

/** Starts the floor. @returns A function that runs a round and returns deliveries a second. */
async function startOwnFloor(context: BenchContext, temporal: BenchTemporal): Promise<() => Promise<number>> {
  const client = await temporal.namespace('floor')
  let done = 0
  let next = 0
  await startFloor(context, temporal, client, {
    [TASK_QUEUE.webhooks]: {
      async attemptWebhookDelivery(): Promise<AttemptOutcome> {
        done += 1
        return { kind: 'delivered', statusCode: 204 }
      },
      async cancelWebhookDelivery() {},
    },
  })
  return async () => {
    const started = performance.now()
    const end = next + DELIVERIES
    const wanted = done + DELIVERIES
    await Promise.all(
      Array.from({ length: STARTS }, async () => {
        while (next < end) {
          const number = next++
          await startWebhookDelivery(client.workflow, {
            id: `whd_${number}`,
            eventId: `evt_${number}`,
            endpointId: 'whe_1',
            merchantId: 'mer_1',
            title: 'deposit.status_changed to 127.0.0.1',
          })
        }
      }),
    )
    while (done < wanted) await sleep(20)
    const figure = DELIVERIES / ((performance.now() - started) / 1_000)
    await untilClosed(client, 0)
    return figure
  }
}

/**
 * Measures from the start of the transaction that records the event to the arrival of the whole request, one
 * at a time.
 */
async function idleLatencies({ happen, receiver }: Ours): Promise<number[]> {
  const began = new Map<string, number>()
  for (let sample = 0; sample < IDLE_SAMPLES; sample++) {
    const at = performance.timeOrigin + performance.now()
    for (const id of await happen(1)) began.set(id, at)
    await sleep(IDLE_PAUSE_MS)
  }
  await sleep(1_000)
  const received = (await (await fetch(receiver)).json()) as Received[]
  const latencies = received.flatMap(({ id, at }) => {
    const start = began.get(id)
    return start === undefined ? [] : [at - start]
  })
  if (latencies.length !== IDLE_SAMPLES)
    throw new Error(`${latencies.length} of ${IDLE_SAMPLES} webhooks came`)
  return latencies
}

function latencyLine(name: keyof typeof LATENCY_TARGETS_MS, latency: number): Measurement {
  const target = LATENCY_TARGETS_MS[name]
  return {
    name: `webhook, event to receipt, idle, ${name}`,
    unit: 'ms',
    ours: latency,
    against: 'target',
    reference: target,
    ratio: target / latency,
    expected: 1,
  }
}

/** Measures the longest of some real histories. */
async function historyLine({ sql, client }: Ours): Promise<Measurement> {
  const rows = await sql<{ event_id: string; endpoint_id: string }[]>`
    SELECT event_id, endpoint_id FROM webhook_deliveries ORDER BY id DESC LIMIT 30`
  const lengths = await Promise.all(
    rows.map(async (row) => {
      const handle = client.workflow.getHandle(webhookDeliveryId(row.event_id, row.endpoint_id))
      return (await handle.fetchHistory()).events?.length ?? Number.NaN
    }),
  )
  const most = Math.max(...lengths)
  return {
    name: 'history events, delivered webhook',
    unit: '',
    ours: most,
    against: 'budget',
    reference: BUDGET,
    ratio: BUDGET / most,
    expected: 1,
  }
}
