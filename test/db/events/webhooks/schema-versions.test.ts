/** The bytes of deliveries to endpoints that are pinned to a version. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { listEvents } from '../../../../db/events/log/list-events.js'
import { sealEvents } from '../../../../db/events/log/seal-events.js'
import { appendTestEvent } from '../../../../db/events/webhooks/append-test-event.js'
import { claimFirstAttempt } from '../../../../db/events/webhooks/claim-first-attempt.js'
import type { EndpointRow } from '../../../../db/events/webhooks/endpoint-row.js'
import { loadAttempt } from '../../../../db/events/webhooks/load-attempt.js'
import { redeliver } from '../../../../db/events/webhooks/redeliver.js'
import { updateEndpoint } from '../../../../db/events/webhooks/update-endpoint.js'
import { newId } from '../../../../db/new-id.js'
import { NEWEST_SCHEMA_VERSION, type SchemaVersion } from '../../../../domain/events/schema-version.js'
import { createTestEndpoint } from '../../../stage/create-test-endpoint.js'
import { runReplay } from '../../../stage/run-replay.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

const FIRST: SchemaVersion = '2026-11-01'
const DATA = { id: 'dep_1', amount: '0.10', note: 'Zoë 💶', decision: null }

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.drop())

async function merchant() {
  const { sql } = database
  const merchantId = newId('mer')
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'M')`
  const seal = async () => {
    while ((await sealEvents(sql)) > 0) {}
  }
  return {
    merchantId,
    seal,
    endpoint: (schemaVersion?: SchemaVersion) =>
      createTestEndpoint(sql, {
        merchantId,
        url: 'https://shop.example/',
        masterKey: '22'.repeat(32),
        ...(schemaVersion ? { schemaVersion } : {}),
      }),
    /** Records a sealed event. @returns Its id. */
    async event(): Promise<string> {
      const id = await sql.begin((tx) =>
        appendEvent(tx, { merchantId, type: 'deposit.status_changed', subject: 'dep_1', data: DATA }),
      )
      await seal()
      return id
    },
    move: (endpoint: EndpointRow, schemaVersion: SchemaVersion) =>
      sql.begin((tx) => updateEndpoint(tx, merchantId, endpoint.id, { schemaVersion })),
    replay: async (endpoint: EndpointRow) => (await runReplay(sql, endpoint)).renewed,
  }
}

const idOf = (event: string, endpoint: EndpointRow) => `whd_${event.slice(4)}_${endpoint.id.slice(4)}`
const bytes = async (event: string, endpoint: EndpointRow): Promise<string | undefined> =>
  (await loadAttempt(database.sql, idOf(event, endpoint)))?.body?.toString('utf8')
const dataOf = async (event: string, endpoint: EndpointRow) =>
  JSON.parse((await bytes(event, endpoint)) ?? 'null')?.data

describe('an endpoint', () => {
  test('gets events in its version, and the log has the newest', async () => {
    const shop = await merchant()
    const [older, newest] = [await shop.endpoint(FIRST), await shop.endpoint()]
    expect(newest.schema_version).toBe(NEWEST_SCHEMA_VERSION)
    const event = await shop.event()
    expect(await dataOf(event, older)).toEqual({ id: 'dep_1', amount: '0.10', note: 'Zoë 💶' })
    expect(await dataOf(event, newest)).toEqual(DATA)
    const [listed] = await listEvents(database.sql, shop.merchantId, 0n, 1)
    expect(listed?.body.toString('utf8')).toBe(await bytes(event, newest))
    const { id, event: type, timestamp, sequence } = JSON.parse((await bytes(event, newest)) ?? '')
    expect(JSON.parse((await bytes(event, older)) ?? '')).toMatchObject({
      id,
      event: type,
      timestamp,
      sequence,
    })
  })

  test('moves either way for later events, and its deliveries keep their bytes', async () => {
    const shop = await merchant()
    const endpoint = await shop.endpoint()
    const one = await shop.event()
    const before = await bytes(one, endpoint)
    await shop.move(endpoint, FIRST)
    const two = await shop.event()
    const older = await bytes(two, endpoint)
    await shop.move(endpoint, NEWEST_SCHEMA_VERSION)
    const three = await shop.event()
    expect([await dataOf(two, endpoint), await dataOf(three, endpoint)]).toEqual([
      { id: 'dep_1', amount: '0.10', note: 'Zoë 💶' },
      DATA,
    ])
    await database.sql.begin((tx) => redeliver(tx, shop.merchantId, idOf(two, endpoint)))
    await shop.move(endpoint, FIRST)
    await shop.replay(endpoint)
    expect([await bytes(one, endpoint), await bytes(two, endpoint)]).toEqual([before, older])
  })

  test('gets a replayed event, which was sealed before it had a delivery, in its version', async () => {
    const { sql } = database
    const shop = await merchant()
    const event = await shop.event()
    const older = await shop.endpoint(FIRST)
    expect(await shop.replay(older)).toBe(1)
    expect(await claimFirstAttempt(sql, idOf(event, older))).toMatchObject({ claimed: false, body: null })
    const [first, second] = await Promise.all([bytes(event, older), bytes(event, older)])
    expect(JSON.parse(first ?? '').data).toEqual({ id: 'dep_1', amount: '0.10', note: 'Zoë 💶' })
    expect(second).toBe(first)
    expect(await claimFirstAttempt(sql, idOf(event, older))).toMatchObject({ claimed: true })
    for (const change of [sql`UPDATE event_bodies SET body = ''`, sql`DELETE FROM event_bodies`]) {
      await expect(change).rejects.toMatchObject({ code: 'KT005' })
    }
  })

  test('gets events that were sealed before there were versions as they were sealed', async () => {
    const { sql } = database
    const shop = await merchant()
    const [older, newest] = [await shop.endpoint(FIRST), await shop.endpoint()]
    const body = JSON.stringify({ id: 'evt_old', event: 'deposit.status_changed', data: { id: 'dep_1' } })
    await sql`
      INSERT INTO events (id, merchant_id, type, subject, occurred_at, data, sequence, body)
      VALUES ('evt_old', ${shop.merchantId}, 'deposit.status_changed', 'dep_1', now(), '{"id": "dep_1"}', 1,
              convert_to(${body}, 'UTF8'))`
    for (const endpoint of [older, newest]) {
      await shop.replay(endpoint)
      expect(await bytes('evt_old', endpoint)).toBe(body)
    }
  })

  test('is tested in its version', async () => {
    const shop = await merchant()
    const [older, newest] = [await shop.endpoint(FIRST), await shop.endpoint()]
    const test = async (endpoint: EndpointRow) => {
      const { eventId } = await database.sql.begin((tx) => appendTestEvent(tx, endpoint))
      await shop.seal()
      return dataOf(eventId, endpoint)
    }
    expect(await test(older)).toEqual({ endpoint_id: older.id, message: expect.any(String) })
    expect(await test(newest)).toMatchObject({ schema_version: NEWEST_SCHEMA_VERSION })
  })
})
