/** Endpoints that are paused, resumed, or gone: their deliveries, the windows of these, and the order of release. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { markDeliveriesStarted } from '../../../../db/events/log/mark-deliveries-started.js'
import { sealEvents } from '../../../../db/events/log/seal-events.js'
import { unstartedDeliveries } from '../../../../db/events/log/unstarted-deliveries.js'
import { loadAttempt } from '../../../../db/events/webhooks/load-attempt.js'
import { moveEndpoint } from '../../../../db/events/webhooks/move-endpoint.js'
import { recordAttempt } from '../../../../db/events/webhooks/record-attempt.js'
import { recordGone } from '../../../../db/events/webhooks/record-gone.js'
import { redeliver } from '../../../../db/events/webhooks/redeliver.js'
import { endTurns } from '../../../../db/events/webhooks/release-deliveries.js'
import { updateEndpoint } from '../../../../db/events/webhooks/update-endpoint.js'
import { newId } from '../../../../db/new-id.js'
import type { DeliveryStatus } from '../../../../domain/events/delivery-status.js'
import type { EventType } from '../../../../domain/events/event.js'
import { changeEndpoint } from '../../../stage/change-endpoint.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.drop())

/** Creates a merchant with endpoints, of which the tests use the first. */
async function merchant(endpoints = 1) {
  const { sql } = database
  const merchantId = newId('mer')
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'M')`
  const ids: string[] = []
  for (let made = 0; made < endpoints; made += 1) {
    const id = newId('whe')
    ids.push(id)
    await sql`
      INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed)
      VALUES (${id}, ${merchantId}, 'https://shop.example/', '')`
  }
  const [id = ''] = ids
  const seal = async () => {
    while ((await sealEvents(sql)) > 0) {}
  }
  return {
    id,
    merchantId,
    others: ids.slice(1),
    seal,
    /** Records events, each of an object of its own. @returns Their deliveries to the first endpoint. */
    async events(count: number): Promise<string[]> {
      const made: string[] = []
      for (let number = 0; number < count; number += 1) {
        const event = await sql.begin((tx) =>
          appendEvent(tx, { merchantId, type: 'signer.online', subject: newId('dep'), data: {} }),
        )
        made.push(`whd_${event.slice(4)}_${id.slice(4)}`)
      }
      await seal()
      return made
    },
    pause: () => changeEndpoint(sql, id, (tx) => moveEndpoint(tx, merchantId, id, 'paused')),
    resume: () => changeEndpoint(sql, id, (tx) => moveEndpoint(tx, merchantId, id, 'active')),
    /** Starts what can be started. @returns The deliveries. */
    async start(): Promise<string[]> {
      const mine = (await unstartedDeliveries(sql, 'sendable', 100)).filter((each) => each.endpointId === id)
      await markDeliveriesStarted(sql, mine)
      return mine.map((each) => each.id)
    },
    async attempt(deliveryId: string, statusCode: number, restarts?: number) {
      const [row] = await sql<{ restarts: number }[]>`
        SELECT restarts FROM webhook_deliveries WHERE id = ${deliveryId}`
      const record = {
        deliveryId,
        at: new Date(),
        statusCode,
        durationMs: 1,
        error: statusCode < 300 ? null : `HTTP ${statusCode}`,
        failureClass: statusCode < 300 ? null : ('endpoint_error' as const),
        answer: null,
        nextAttemptAt: new Date(Date.now() + 300_000),
        restarts: restarts ?? row?.restarts ?? 0,
        lost: [],
      }
      if (statusCode !== 410) return recordAttempt(sql, record)
      const loaded = await loadAttempt(sql, deliveryId)
      if (!loaded) throw new Error('No such delivery')
      return recordGone(sql, loaded, record)
    },
    async status(deliveryId: string): Promise<DeliveryStatus | undefined> {
      const [row] = await sql<{ status: DeliveryStatus }[]>`
        SELECT status FROM webhook_deliveries WHERE id = ${deliveryId}`
      return row?.status
    },
    /** Types and data of the events about the endpoint, and the endpoints that receive them. */
    async about() {
      return sql<{ type: EventType; data: object; to: string[] }[]>`
        SELECT type, data, coalesce(array_agg(endpoint_id) FILTER (WHERE endpoint_id IS NOT NULL), '{}') AS to
        FROM events LEFT JOIN webhook_deliveries ON event_id = events.id
        WHERE events.merchant_id = ${merchantId} AND subject = ${id}
        GROUP BY events.id ORDER BY events.position`
    },
  }
}

describe('a paused endpoint', () => {
  test('holds what waits and what is new', async () => {
    const shop = await merchant()
    const [before = ''] = await shop.events(1)
    await shop.pause()
    const [later = ''] = await shop.events(1)
    expect([await shop.status(before), await shop.status(later)]).toEqual(['held', 'held'])
    expect(await shop.start()).toEqual([])
  })

  test('takes the result of an attempt that was under way', async () => {
    const shop = await merchant()
    const [good = '', bad = ''] = await shop.events(2)
    await shop.pause()
    expect(await shop.attempt(good, 200)).toMatchObject({ status: 'delivered' })
    expect(await shop.attempt(bad, 500)).toMatchObject({ status: 'held' })
  })

  test('is paused and resumed once, however often it is requested', async () => {
    const shop = await merchant()
    const [delivery = ''] = await shop.events(1)
    expect(await shop.pause()).toMatchObject({ changed: true, endpoint: { status: 'paused' } })
    expect(await shop.pause()).toMatchObject({ changed: false, endpoint: { status: 'paused' } })
    expect(await shop.resume()).toMatchObject({ changed: true, endpoint: { status: 'active' } })
    expect(await shop.start()).toEqual([delivery])
    expect(await shop.resume()).toMatchObject({ changed: false })
    expect(await shop.start()).toEqual([])
  })

  test('lets the window of its deliveries stand still', async () => {
    const { sql } = database
    const shop = await merchant()
    const [delivery = ''] = await shop.events(1)
    await shop.start()
    const passed = async () => {
      const loaded = await loadAttempt(sql, delivery)
      return Math.round(((loaded?.window_used_ms ?? 0) + (loaded?.window_age_ms ?? 0)) / 60_000)
    }
    const later = (minutes: number) => sql`
      UPDATE webhook_deliveries SET window_started_at = window_started_at - ${minutes} * interval '1 minute'
      WHERE id = ${delivery}`
    await later(30)
    expect(await passed()).toBe(30)
    await shop.pause()
    await later(600)
    expect(await passed()).toBe(30)
    await shop.resume()
    await shop.start()
    expect(await passed()).toBe(30)
    await later(15)
    await shop.pause()
    expect(await passed()).toBe(45)
    await shop.resume()
    await shop.start()
    await shop.attempt(delivery, 200)
    expect(await passed()).toBe(0)
  })
})

describe('an endpoint that is resumed', () => {
  test('gets what was held one at a time by sequence, the next after an attempt of the one before', async () => {
    const shop = await merchant()
    await shop.pause()
    const held = await shop.events(4)
    await shop.resume()
    const order: string[] = []
    for (const code of [200, 500, 200, 500]) {
      const started = await shop.start()
      order.push(...started)
      expect(started).toHaveLength(1)
      expect(await shop.start()).toEqual([])
      await shop.attempt(started[0] ?? '', code)
    }
    expect(order).toEqual(held)
    expect(await shop.start()).toEqual([])
    expect(await Promise.all(held.map(shop.status))).toEqual(['delivered', 'pending', 'delivered', 'pending'])
  })

  test('gets them in order also if they had no sequence when it was resumed', async () => {
    const { sql } = database
    const shop = await merchant()
    await shop.pause()
    const append = (type: EventType) =>
      sql.begin((tx) =>
        appendEvent(tx, { merchantId: shop.merchantId, type, subject: newId('dep'), data: {} }),
      )
    const held = [await append('signer.online'), await append('signer.offline')]
    await shop.resume()
    expect(await shop.start()).toEqual([])
    await shop.seal()
    for (const event of held) {
      const [started = '', ...more] = await shop.start()
      expect([started, more]).toEqual([`whd_${event.slice(4)}_${shop.id.slice(4)}`, []])
      await shop.attempt(started, 204)
    }
  })

  test('gets new events after those that were held, and requested ones at once', async () => {
    const { sql } = database
    const shop = await merchant()
    await shop.pause()
    const [first = '', second = '', third = ''] = await shop.events(3)
    await shop.resume()
    const [fresh = ''] = await shop.events(1)
    expect(await shop.start()).toEqual([first])
    await sql.begin((tx) => redeliver(tx, shop.merchantId, third))
    expect(await shop.start()).toEqual([third])
    await shop.attempt(first, 200)
    expect(await shop.start()).toEqual([second])
    expect(await shop.start()).toEqual([])
    await shop.attempt(second, 500)
    expect(await shop.start()).toEqual([fresh])
  })

  test('keeps the turn of a delivery when an attempt from before the pause fails', async () => {
    const shop = await merchant()
    const [first = '', second = ''] = await shop.events(2)
    await shop.start()
    await shop.pause()
    await shop.resume()
    await shop.attempt(second, 500, 0)
    expect(await shop.start()).toEqual([first])
    expect(await shop.start()).toEqual([])
    await shop.attempt(first, 200)
    expect(await shop.start()).toEqual([second])
  })

  test('is not kept waiting by a delivery whose worker died', async () => {
    const shop = await merchant()
    await shop.pause()
    const [first = '', second = ''] = await shop.events(2)
    await shop.resume()
    expect(await shop.start()).toEqual([first])
    await database.sql`
      UPDATE webhook_deliveries SET workflow_started_at = now() - interval '2 minutes' WHERE id = ${first}`
    expect(await shop.start()).toEqual([second])
  })

  test('leaves the order to its circuit when that opens', async () => {
    const { sql } = database
    const shop = await merchant()
    await shop.pause()
    await shop.events(3)
    await shop.resume()
    await sql`INSERT INTO webhook_circuits (endpoint_id, state) VALUES (${shop.id}, 'open')`
    await sql.begin((tx) => endTurns(tx, shop.id))
    expect(await shop.start()).toEqual([])
    const waiting = await unstartedDeliveries(sql, 'waiting', 100)
    expect(waiting.filter((each) => each.endpointId === shop.id)).toHaveLength(3)
  })

  test('does not keep the deliveries of other endpoints waiting', async () => {
    const [one, two] = [await merchant(), await merchant()]
    await one.pause()
    await one.events(3)
    await one.resume()
    const others = await two.events(2)
    expect(await two.start()).toEqual(others)
  })

  test('holds again what has not been sent', async () => {
    const shop = await merchant()
    await shop.pause()
    const [first = '', second = ''] = await shop.events(2)
    await shop.resume()
    await shop.start()
    await shop.attempt(first, 200)
    await shop.pause()
    expect(await shop.status(second)).toBe('held')
    expect(await shop.start()).toEqual([])
    await shop.resume()
    expect(await shop.start()).toEqual([second])
  })
})

describe('an endpoint that answers 410', () => {
  test('is disabled at once, and its other endpoints are warned first', async () => {
    const shop = await merchant(2)
    const [first = '', second = ''] = await shop.events(2)
    await shop.start()
    expect(await shop.attempt(first, 410)).toMatchObject({ status: 'held', written: true, circuit: null })
    const [later = ''] = await shop.events(1)
    expect(await Promise.all([first, second, later].map(shop.status))).toEqual(['held', 'held', 'held'])
    expect(await shop.about()).toEqual([
      { type: 'webhook_endpoint.failing', data: { endpoint_id: shop.id, reason: 'gone' }, to: shop.others },
      { type: 'webhook_endpoint.disabled', data: { endpoint_id: shop.id, reason: 'gone' }, to: shop.others },
    ])
    const audited = await database.sql`
      SELECT actor, action, data FROM audit_log WHERE subject = ${shop.id}`
    expect(audited).toMatchObject([
      { actor: 'system:webhooks', action: 'webhook_endpoint.disabled', data: { reason: 'gone' } },
    ])
  })

  test('is enabled by a resumption, which says so to every endpoint', async () => {
    const shop = await merchant(2)
    const [first = '', second = ''] = await shop.events(2)
    await shop.start()
    await shop.attempt(first, 410)
    expect(await shop.resume()).toMatchObject({ changed: true, endpoint: { status: 'active' } })
    await shop.seal()
    expect((await shop.about()).at(-1)).toMatchObject({
      type: 'webhook_endpoint.enabled',
      data: { endpoint_id: shop.id },
      to: expect.arrayContaining([shop.id, ...shop.others]),
    })
    expect(await shop.start()).toEqual([first])
    await shop.attempt(first, 200)
    expect(await shop.start()).toEqual([second])
  })

  test('is disabled once, by answers to several deliveries at the same time', async () => {
    const shop = await merchant()
    const deliveries = await shop.events(5)
    await shop.start()
    await Promise.all(deliveries.map((each) => shop.attempt(each, 410)))
    expect((await shop.about()).map((each) => each.type)).toEqual([
      'webhook_endpoint.failing',
      'webhook_endpoint.disabled',
    ])
  })

  test('and another of the merchant that answers 410 at the same moment are both disabled, without a deadlock', async () => {
    const { sql } = database
    const shop = await merchant(4)
    const endpoints = [shop.id, ...shop.others]
    const [first = ''] = await shop.events(1)
    const event = first.slice(4, first.lastIndexOf('_'))
    await sql`UPDATE webhook_deliveries SET workflow_started_at = now() WHERE merchant_id = ${shop.merchantId}`
    // A deadlock would fail one of the calls.
    for (const status of ['disabled', 'active'] as const) {
      await Promise.all(
        endpoints.map((id) =>
          status === 'active'
            ? changeEndpoint(sql, id, (tx) => updateEndpoint(tx, shop.merchantId, id, { status }))
            : shop.attempt(`whd_${event}_${id.slice(4)}`, 410),
        ),
      )
      const rows =
        await sql`SELECT DISTINCT status FROM webhook_endpoints WHERE merchant_id = ${shop.merchantId}`
      expect(rows).toEqual([{ status }])
    }
  })

  test('is disabled while it is paused, and not by an answer from a URL that it had before', async () => {
    const { sql } = database
    const shop = await merchant()
    const [first = '', second = ''] = await shop.events(2)
    const loaded = await loadAttempt(sql, first)
    if (!loaded) throw new Error('No such delivery')
    await sql.begin((tx) => updateEndpoint(tx, shop.merchantId, shop.id, { url: 'https://new.example/' }))
    const record = {
      deliveryId: first,
      at: new Date(),
      statusCode: 410,
      durationMs: 1,
      error: 'HTTP 410',
      failureClass: 'contract_rejected' as const,
      answer: null,
      nextAttemptAt: new Date(Date.now() + 300_000),
      restarts: 0,
      lost: [],
    }
    expect(await recordGone(sql, loaded, record)).toMatchObject({ status: 'pending', written: true })
    expect(await shop.about()).toEqual([])
    await shop.pause()
    await shop.attempt(second, 410)
    const [endpoint] = await sql`SELECT status FROM webhook_endpoints WHERE id = ${shop.id}`
    expect(endpoint).toEqual({ status: 'disabled' })
    await expect(shop.pause()).rejects.toMatchObject({ code: 'INVALID_STATE' })
  })
})
