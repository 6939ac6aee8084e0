/** Results of attempts move the circuit of their endpoint, and a circuit that moves misses no delivery. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { sealEvents } from '../../../../db/events/log/seal-events.js'
import { circuitWaiters, lateCircuits, markWoken } from '../../../../db/events/webhooks/circuit-waiters.js'
import { deleteEndpoint } from '../../../../db/events/webhooks/delete-endpoint.js'
import { findCircuit, pendingInOrder } from '../../../../db/events/webhooks/find-circuit.js'
import { closeCircuit, planProbe, skipDelivery } from '../../../../db/events/webhooks/move-circuit.js'
import { recordAttempt } from '../../../../db/events/webhooks/record-attempt.js'
import { redeliver } from '../../../../db/events/webhooks/redeliver.js'
import { resumeStalledDeliveries } from '../../../../db/events/webhooks/resume-stalled-deliveries.js'
import { updateEndpoint } from '../../../../db/events/webhooks/update-endpoint.js'
import { waitForCircuit } from '../../../../db/events/webhooks/wait-for-circuit.js'
import { newId } from '../../../../db/new-id.js'
import { FAILURES_TO_OPEN } from '../../../../domain/events/circuit.js'
import { changeEndpoint } from '../../../stage/change-endpoint.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

const TIMES = { spanMs: 60_000, intervalMs: 300_000 }

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.drop())

/** Creates a merchant with an endpoint, and sealed deliveries to it. */
async function endpointWith(count: number) {
  const { sql } = database
  const merchantId = newId('mer')
  const id = newId('whe')
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'M')`
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed) VALUES (${id}, ${merchantId}, 'https://shop.example/', '')`
  const more = async (events: number) => {
    for (let made = 0; made < events; made += 1) {
      await sql.begin((tx) =>
        appendEvent(tx, { merchantId, type: 'webhook.test', subject: newId('dep'), data: {} }),
      )
    }
    while ((await sealEvents(sql)) > 0) {}
    return pendingInOrder(sql, id, 0n, 1_000)
  }
  const deliveries = await more(count)
  let at = Date.now()
  return {
    id,
    merchantId,
    more,
    deliveries,
    /** Stores an attempt of the delivery with this number. */
    attempt(number: number, ok: boolean, times = TIMES) {
      at += 1
      return recordAttempt(sql, {
        deliveryId: deliveries[number]?.id ?? '',
        at: new Date(at),
        statusCode: ok ? 200 : 500,
        durationMs: 1,
        error: ok ? null : 'HTTP 500',
        failureClass: null,
        answer: null,
        nextAttemptAt: new Date(at + 300_000),
        restarts: 0,
        lost: [],
        circuit: times,
      })
    },
    /** Opens the circuit by failures. */
    async open() {
      for (let number = 0; number < FAILURES_TO_OPEN; number += 1) await this.attempt(number, false)
    },
    async state() {
      return (await findCircuit(sql, id))?.state
    },
  }
}

describe('a closed circuit', () => {
  test('opens with the twentieth delivery that fails in a row', async () => {
    const endpoint = await endpointWith(FAILURES_TO_OPEN)
    for (let number = 0; number < FAILURES_TO_OPEN - 1; number += 1) {
      expect(await endpoint.attempt(number, false)).toMatchObject({ circuit: null })
    }
    expect(await endpoint.state()).toBe('closed')
    expect(await endpoint.attempt(FAILURES_TO_OPEN - 1, false)).toMatchObject({ circuit: 'opened' })
    expect(await endpoint.state()).toBe('open')
  })

  test('counts each delivery once, however often it fails', async () => {
    const endpoint = await endpointWith(2)
    for (let times = 0; times < FAILURES_TO_OPEN; times += 1) {
      await endpoint.attempt(times % 2, false)
    }
    expect(await endpoint.state()).toBe('closed')
  })

  test('counts from the start after a success', async () => {
    const endpoint = await endpointWith(2 * FAILURES_TO_OPEN)
    for (let number = 0; number < FAILURES_TO_OPEN - 1; number += 1) await endpoint.attempt(number, false)
    await endpoint.attempt(FAILURES_TO_OPEN, true)
    for (let number = 0; number < FAILURES_TO_OPEN - 1; number += 1) await endpoint.attempt(number, false)
    expect(await endpoint.state()).toBe('closed')
    expect(await endpoint.attempt(FAILURES_TO_OPEN + 1, false)).toMatchObject({ circuit: 'opened' })
  })

  test('forgets failures that are older than the span', async () => {
    const endpoint = await endpointWith(FAILURES_TO_OPEN)
    for (let number = 0; number < FAILURES_TO_OPEN; number += 1) {
      await endpoint.attempt(number, false, { ...TIMES, spanMs: 0.001 })
    }
    expect(await endpoint.state()).toBe('closed')
  })

  test('opens once when many attempts fail at the same time', async () => {
    const endpoint = await endpointWith(2 * FAILURES_TO_OPEN)
    const recorded = await Promise.all(
      endpoint.deliveries.map((_, number) => endpoint.attempt(number, false)),
    )
    expect(recorded.filter((each) => each?.circuit === 'opened')).toHaveLength(1)
  })

  test('has no row for an endpoint that never failed, and lets no delivery wait', async () => {
    const endpoint = await endpointWith(1)
    await endpoint.attempt(0, true)
    expect(await database.sql`SELECT 1 FROM webhook_circuits WHERE endpoint_id = ${endpoint.id}`).toEqual([])
    const [next] = await endpoint.more(1)
    expect(await waitForCircuit(database.sql, next?.id ?? '')).toBeNull()
  })
})

describe('an open circuit', () => {
  test('becomes half open with a success, and open again with the third failure in a row', async () => {
    const endpoint = await endpointWith(FAILURES_TO_OPEN + 1)
    await endpoint.open()
    expect(await endpoint.attempt(0, true)).toMatchObject({ circuit: 'recovered' })
    expect(await endpoint.state()).toBe('half_open')
    await endpoint.attempt(1, false)
    await endpoint.attempt(2, false)
    await endpoint.attempt(3, true)
    await endpoint.attempt(4, false)
    await endpoint.attempt(5, false)
    expect(await endpoint.state()).toBe('half_open')
    expect(await endpoint.attempt(6, false)).toMatchObject({ circuit: 'opened' })
  })

  test('plans its probes, and its workflow is late when one is overdue', async () => {
    const endpoint = await endpointWith(FAILURES_TO_OPEN)
    await endpoint.open()
    const late = async () => (await lateCircuits(database.sql, 0, 100)).map(({ id }) => id)
    expect(await late()).not.toContain(endpoint.id)
    await planProbe(database.sql, endpoint.id, true, -1_000)
    expect(await findCircuit(database.sql, endpoint.id)).toMatchObject({ probes: 1 })
    expect(await late()).toContain(endpoint.id)
  })

  test.each(['disabled', 'deleted'] as const)(
    'closes when its endpoint is %s, and wakes what waits',
    async (how) => {
      const endpoint = await endpointWith(FAILURES_TO_OPEN + 1)
      await endpoint.open()
      const waiting = endpoint.deliveries[FAILURES_TO_OPEN]?.id ?? ''
      expect(await waitForCircuit(database.sql, waiting)).not.toBeNull()
      await changeEndpoint<unknown>(database.sql, endpoint.id, (tx) =>
        how === 'disabled'
          ? updateEndpoint(tx, endpoint.merchantId, endpoint.id, { status: 'disabled' })
          : deleteEndpoint(tx, endpoint.merchantId, endpoint.id),
      )
      expect(await endpoint.state()).toBe('closed')
      expect(await circuitWaiters(database.sql, endpoint.id, 10)).toMatchObject([
        { id: waiting, status: how === 'disabled' ? 'held' : 'cancelled' },
      ])
      expect((await lateCircuits(database.sql, 0, 100)).map(({ id }) => id)).toContain(endpoint.id)
    },
  )

  test('probes at once and with the oldest delivery when the URL changes', async () => {
    const endpoint = await endpointWith(FAILURES_TO_OPEN)
    await endpoint.open()
    await planProbe(database.sql, endpoint.id, true, 300_000)
    await database.sql.begin((tx) =>
      updateEndpoint(tx, endpoint.merchantId, endpoint.id, { url: 'https://other.example/' }),
    )
    const circuit = await findCircuit(database.sql, endpoint.id)
    expect(circuit).toMatchObject({ state: 'open', probes: 0 })
    expect(circuit?.due_at.getTime()).toBeLessThanOrEqual(Date.now())
  })

  test('lets the sweeper resume a delivery only after its window', async () => {
    const endpoint = await endpointWith(FAILURES_TO_OPEN + 1)
    await endpoint.open()
    const waiting = endpoint.deliveries[FAILURES_TO_OPEN]?.id ?? ''
    await waitForCircuit(database.sql, waiting)
    await database.sql`UPDATE webhook_deliveries SET workflow_started_at = now() - interval '3 hours' WHERE id = ${waiting}`
    const resumed = async () => {
      await resumeStalledDeliveries(database.sql, 3_600_000, 86_400_000)
      const [row] = await database.sql`SELECT restarts FROM webhook_deliveries WHERE id = ${waiting}`
      return row?.restarts
    }
    expect(await resumed()).toBe(0)
    await database.sql`
      UPDATE webhook_deliveries SET circuit_wait_since = now() - interval '26 hours' WHERE id = ${waiting}`
    expect(await resumed()).toBe(1)
  })
})

describe('a circuit that closes', () => {
  test('does not close while a delivery is left to send', async () => {
    const endpoint = await endpointWith(FAILURES_TO_OPEN + 1)
    await endpoint.open()
    await endpoint.attempt(0, true)
    const last = endpoint.deliveries[FAILURES_TO_OPEN]
    expect(await closeCircuit(database.sql, endpoint.id, (last?.sequence ?? 0n) - 1n)).toBe(false)
    expect(await closeCircuit(database.sql, endpoint.id, last?.sequence ?? 0n)).toBe(true)
  })

  test('misses no delivery that begins to wait at the same moment', async () => {
    const endpoint = await endpointWith(FAILURES_TO_OPEN + 1)
    await endpoint.open()
    await endpoint.attempt(0, true)
    const waiting = endpoint.deliveries[FAILURES_TO_OPEN]?.id ?? ''
    const { sql } = database
    let began: Promise<unknown> | undefined
    await sql.begin(async (tx) => {
      await tx`SELECT 1 FROM webhook_circuits WHERE endpoint_id = ${endpoint.id} FOR UPDATE`
      began = waitForCircuit(sql, waiting)
      await expect
        .poll(async () => (await sql`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`).length)
        .toBeGreaterThan(0)
      await tx`UPDATE webhook_circuits SET state = 'closed' WHERE endpoint_id = ${endpoint.id}`
    })
    // It sees that the circuit has closed, and goes out by itself.
    expect(await began).toBeNull()
  })

  test('wakes each wait once, and not one that began since', async () => {
    const endpoint = await endpointWith(FAILURES_TO_OPEN + 1)
    await endpoint.open()
    const waiting = endpoint.deliveries[FAILURES_TO_OPEN]?.id ?? ''
    await waitForCircuit(database.sql, waiting)
    expect(await circuitWaiters(database.sql, endpoint.id, 10)).toEqual([])
    await closeCircuit(database.sql, endpoint.id, null)
    const [waiter] = await circuitWaiters(database.sql, endpoint.id, 10)
    expect(waiter).toMatchObject({ id: waiting, status: 'pending', retry_in_ms: null })
    if (!waiter) return
    await database.sql`UPDATE webhook_deliveries SET circuit_wait_since = '2026-01-02' WHERE id = ${waiting}`
    await markWoken(database.sql, waiter)
    const [again] = await circuitWaiters(database.sql, endpoint.id, 10)
    expect(again?.id).toBe(waiting)
    if (again) await markWoken(database.sql, again)
    expect(await circuitWaiters(database.sql, endpoint.id, 10)).toEqual([])
  })
})

describe('a delivery that the drain does not come back to', () => {
  test('does not wait for the drain, which would wake it at once and without end', async () => {
    const { sql } = database
    const endpoint = await endpointWith(FAILURES_TO_OPEN + 2)
    await endpoint.open()
    const [skipped, behind] = endpoint.deliveries.slice(FAILURES_TO_OPEN)
    for (const each of [skipped, behind]) await waitForCircuit(sql, each?.id ?? '')
    await endpoint.attempt(0, true)
    await skipDelivery(sql, endpoint.id, skipped?.sequence ?? 0n)
    const [waiter, ...others] = await circuitWaiters(sql, endpoint.id, 100)
    expect([waiter?.id, others.map(({ status }) => status)]).toEqual([skipped?.id, []])
    if (waiter) await markWoken(sql, waiter)
    expect(await waitForCircuit(sql, skipped?.id ?? '')).toBeNull()
    expect(await waitForCircuit(sql, behind?.id ?? '')).not.toBeNull()
  })
})

describe('workflows to wake', () => {
  test('begin with those whose delivery is not finished', async () => {
    const { sql } = database
    const endpoint = await endpointWith(FAILURES_TO_OPEN + 2)
    await endpoint.open()
    const [sent, unsent] = endpoint.deliveries.slice(FAILURES_TO_OPEN)
    for (const each of [sent, unsent]) await waitForCircuit(sql, each?.id ?? '')
    await sql`UPDATE webhook_deliveries SET status = 'delivered' WHERE id = ${sent?.id ?? ''}`
    await closeCircuit(sql, endpoint.id, null)
    expect((await circuitWaiters(sql, endpoint.id, 1)).map(({ id }) => id)).toEqual([unsent?.id])
  })
})

describe('an endpoint that is disabled', () => {
  test('and the result of an attempt at it do not wait for each other', async () => {
    const { sql } = database
    const endpoint = await endpointWith(FAILURES_TO_OPEN)
    await endpoint.attempt(0, false)
    let disabled: Promise<unknown> | undefined
    await sql.begin(async (tx) => {
      // The statement that stores a result locks the delivery first, and then the circuit.
      await tx`SELECT 1 FROM webhook_deliveries WHERE id = ${endpoint.deliveries[0]?.id ?? ''} FOR UPDATE`
      disabled = changeEndpoint(sql, endpoint.id, (other) =>
        updateEndpoint(other, endpoint.merchantId, endpoint.id, { status: 'disabled' }),
      )
      disabled.catch(() => {})
      await expect
        .poll(async () => (await sql`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`).length)
        .toBeGreaterThan(0)
      await tx`SELECT 1 FROM webhook_circuits WHERE endpoint_id = ${endpoint.id} FOR UPDATE`
    })
    expect(await disabled).toMatchObject({ status: 'disabled' })
  })

  test('and a delivery that a person requests do not wait for each other', async () => {
    const { sql } = database
    const { id, merchantId, deliveries } = await endpointWith(1)
    const delivery = deliveries[0]?.id ?? ''
    let requested: Promise<unknown> | undefined
    await sql.begin(async (tx) => {
      await tx`SELECT 1 FROM webhook_endpoints WHERE id = ${id} FOR UPDATE`
      requested = sql.begin((other) => redeliver(other, merchantId, delivery))
      requested.catch(() => {})
      await expect
        .poll(async () => (await sql`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`).length)
        .toBeGreaterThan(0)
      await updateEndpoint(tx, merchantId, id, { status: 'disabled' })
    })
    await expect(requested).rejects.toMatchObject({ code: 'INVALID_STATE' })
  })
})
