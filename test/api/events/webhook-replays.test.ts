/** Replays of past events to a webhook endpoint, through the API and with real attempts. */

import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runReplay } from '../../../activities/events/webhook-replay.js'
import { connect } from '../../../db/connect.js'
import { appendEvents } from '../../../db/events/log/append-events.js'
import { sealEvents } from '../../../db/events/log/seal-events.js'
import { unstartedDeliveries } from '../../../db/events/log/unstarted-deliveries.js'
import { advanceReplay } from '../../../db/events/replays/advance-replay.js'
import { countMatches } from '../../../db/events/replays/count-matches.js'
import { createReplay } from '../../../db/events/replays/create-replay.js'
import { lateReplays } from '../../../db/events/replays/late-replays.js'
import { settleReplays } from '../../../db/events/replays/settle-replay.js'
import { pendingInOrder } from '../../../db/events/webhooks/find-circuit.js'
import { findEndpoint } from '../../../db/events/webhooks/find-endpoint.js'
import { newId } from '../../../db/new-id.js'
import type { EventType } from '../../../domain/events/event.js'
import { type ApiKeyPair, startTestApi, type TestApi } from '../../stage/test-api.js'
import { createWebhookAttempts, type WebhookAttempts } from '../../stage/webhook-attempts.js'
import { explainQuery } from '../../support/explain-query.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js'

const ENDPOINTS = '/api/v1/webhook-endpoints'

let api: TestApi
let attempts: WebhookAttempts
let receiver: WebhookReceiver
let stranger: ApiKeyPair
let since: string
let endpoint: string
beforeAll(async () => {
  api = await startTestApi({
    KEYTURN_WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8',
    KEYTURN_WEBHOOK_ALLOW_HTTP: 'true',
  })
  attempts = createWebhookAttempts(api.database.sql)
  stranger = await api.newKey({ merchantId: await api.newMerchant() })
})
afterAll(async () => {
  await attempts?.close()
  await api?.database.drop()
})
beforeEach(async () => {
  receiver = await startWebhookReceiver()
  since = new Date().toISOString()
  endpoint = await create()
})
afterEach(async () => {
  await api.database.sql`UPDATE webhook_endpoints SET status = 'deleted'`
  await api.database.sql`UPDATE webhook_replays SET status = 'cancelled' WHERE status = 'running'`
  await receiver.close()
})

const create = async (event_types = ['signer.online', 'signer.offline']): Promise<string> =>
  (await api.call({ method: 'POST', path: ENDPOINTS, body: { url: receiver.url, event_types } })).json.data.id
const post = (path: string, body: object = {}, headers: Record<string, string> = {}, key?: ApiKeyPair) =>
  api.call({ method: 'POST', path: `${ENDPOINTS}/${path}`, body, headers, ...(key ? { key } : {}) })
const replay = async (body: object) => {
  const answer = await post(`${endpoint}/replays`, { since, ...body })
  expect(answer.status).toBe(202)
  return answer.json.data
}
const show = async (id: string) =>
  (await api.call({ path: `${ENDPOINTS}/${endpoint}/replays/${id}` })).json.data
const stateOf = async (id: string) => {
  const [row] = await api.database.sql`
    SELECT settled, (SELECT count(*)::int FROM webhook_replay_items WHERE replay_id = id) AS items
    FROM webhook_replays WHERE id = ${id}`
  return { ...row }
}
const idOf = (event: string) => `whd_${event.slice(4)}_${endpoint.slice(4)}`
const sentIds = () => receiver.received.map(({ headers }) => String(headers['webhook-id']))

/** Commits and seals events, each of an object of its own. @returns Their ids, in order. */
async function happen(count: number, type: EventType = 'signer.offline'): Promise<string[]> {
  const ids = await api.database.sql.begin((tx) =>
    appendEvents(
      tx,
      Array.from({ length: count }, () => ({
        merchantId: api.merchantId,
        type,
        subject: newId('sig'),
        data: {},
      })),
    ),
  )
  while ((await sealEvents(api.database.sql)) > 0) {}
  return ids
}

/** Runs a replay to its end: its workflow's activity, and the attempts beside it. */
async function finish(id: string): Promise<void> {
  const { signal } = new AbortController()
  const running = runReplay(api.database.sql, id, signal)
  let ended = false
  void running.finally(() => {
    ended = true
  })
  while (!ended) {
    await attempts.attemptPending()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(await running).toMatchObject({ kind: 'ended' })
}

/** Forgets what was received, after every pending delivery was attempted. */
async function attemptAll(): Promise<void> {
  await attempts.attemptPending()
  receiver.received.length = 0
}

describe('a replay', () => {
  test('of what failed sends now what waits or is exhausted, once, and nothing that was delivered', async () => {
    const [waiting = '', exhausted = '', delivered = '', untried = ''] = await happen(4)
    await api.database
      .sql`UPDATE webhook_deliveries SET workflow_started_at = now() WHERE event_id = ${untried}`
    receiver.behave(answers(500))
    await attempts.attempt(idOf(waiting))
    await attempts.attempt(idOf(exhausted), 86_400_000)
    receiver.behave(answers(200))
    await attempts.attempt(idOf(delivered))
    receiver.received.length = 0
    await api.database.sql`UPDATE webhook_deliveries SET workflow_started_at = now() WHERE status = 'pending'`
    const started = await replay({ mode: 'failed' })
    expect(started).toMatchObject({
      id: expect.stringMatching(/^whr_/),
      endpoint_id: endpoint,
      mode: 'failed',
      status: 'running',
      matched: 2,
      sent: 0,
      delivered: 0,
      failed: 0,
      dry_run: false,
      rate: null,
      failure: null,
      finished_at: null,
    })
    await finish(started.id)
    expect(sentIds()).toEqual([waiting, exhausted])
    expect(await show(started.id)).toMatchObject({
      status: 'completed',
      matched: 2,
      sent: 2,
      delivered: 2,
      failed: 0,
      finished_at: expect.any(String),
    })
    // Nothing is left that failed.
    expect(await replay({ mode: 'failed' })).toMatchObject({ status: 'completed', matched: 0 })
  })

  test('counts first attempts, and what is accepted later as delivered', async () => {
    const [first = '', second = ''] = await happen(2)
    await attemptAll()
    receiver.behave((response, request) =>
      response.writeHead(request.headers['webhook-id'] === first ? 503 : 204).end(),
    )
    const { id } = await replay({ mode: 'all' })
    await finish(id)
    expect(await show(id)).toMatchObject({
      status: 'completed',
      matched: 2,
      sent: 2,
      delivered: 1,
      failed: 1,
    })
    receiver.behave(answers(200))
    await attempts.attempt(idOf(first))
    expect(await show(id)).toMatchObject({ sent: 2, delivered: 2, failed: 1 })
    expect(sentIds()).toEqual([first, second, first])
  })

  test('of what is missing sends events from before the endpoint, in their order, and no test of another one', async () => {
    const early = await happen(3)
    const other = endpoint
    await post(`${other}/test`)
    while ((await sealEvents(api.database.sql)) > 0) {}
    endpoint = await create(['*'])
    const [has = ''] = await happen(1)
    await attemptAll()
    const { id, matched } = await replay({ mode: 'missing' })
    expect(matched).toBe(3)
    await finish(id)
    expect(sentIds()).toEqual(early)
    expect(sentIds()).not.toContain(has)
    expect(await show(id)).toMatchObject({ status: 'completed', sent: 3, delivered: 3 })
  })

  test('sends only what the endpoint subscribes to, within a half-open window', async () => {
    const ids = await happen(3, 'signer.online')
    await happen(1, 'wallet.low_balance')
    await happen(1, 'signer.offline')
    await attemptAll()
    const [, second] = await api.database.sql<{ occurred_at: Date }[]>`
      SELECT occurred_at FROM events WHERE id IN ${api.database.sql(ids)} ORDER BY occurred_at`
    const count = async (body: object) => (await replay({ mode: 'all', dry_run: true, ...body })).matched
    expect(await count({})).toBe(4)
    expect(await count({ event_types: ['wallet.low_balance'] })).toBe(0)
    expect(await count({ event_types: ['wallet.low_balance', 'signer.online'] })).toBe(3)
    expect(await count({ event_types: ['*'] })).toBe(4)
    expect(
      await count({
        event_types: ['signer.online'],
        until: new Date(0).toISOString(),
        since: new Date(-1).toISOString(),
      }),
    ).toBe(0)
    await api.database.sql.begin(async (tx) => {
      // Events are frozen, so the test moves the window to them.
      const at = second?.occurred_at ?? new Date()
      const row = await findEndpoint(tx, api.merchantId, endpoint)
      if (!row) throw new Error('No endpoint')
      const window = async (from: Date, until: Date) =>
        (
          await createReplay(tx, row, {
            mode: 'all',
            since: from,
            until,
            eventTypes: ['signer.online'],
            dryRun: true,
            rate: null,
          })
        ).replay.matched
      const after = new Date(at.getTime() + 1)
      const [inside] = await tx<{ count: number }[]>`
        SELECT count(*)::int FROM events WHERE id IN ${tx(ids)} AND occurred_at >= ${at} AND occurred_at < ${after}`
      expect(await window(at, after)).toBe(inside?.count)
      const [before] = await tx<{ count: number }[]>`
        SELECT count(*)::int FROM events WHERE id IN ${tx(ids)} AND occurred_at < ${at}`
      expect(await window(new Date(since), at)).toBe(before?.count)
    })
  })

  test('takes a day as its midnight in UTC', async () => {
    const counted = await replay({ mode: 'all', dry_run: true, since: '2026-01-01', until: '2026-01-02' })
    expect(counted).toMatchObject({
      since: '2026-01-01T00:00:00.000Z',
      until: '2026-01-02T00:00:00.000Z',
      matched: 0,
    })
  })

  test('that only counts sends nothing and is completed', async () => {
    await happen(2)
    await attemptAll()
    const counted = await replay({ mode: 'all', dry_run: true })
    expect(counted).toMatchObject({ status: 'completed', dry_run: true, matched: 2, sent: 0 })
    await attempts.attemptPending()
    expect(receiver.received).toHaveLength(0)
  })

  test('leaves a delivery that is about to have its first attempt to it, and counts that attempt', async () => {
    const [fresh = ''] = await happen(1)
    const { id, matched } = await replay({ mode: 'all' })
    expect(matched).toBe(1)
    // The replay reaches the delivery before its first attempt is made.
    await advanceReplay(api.database.sql, id, 1, 1)
    await finish(id)
    expect(sentIds()).toEqual([fresh])
    expect(await show(id)).toMatchObject({ status: 'completed', sent: 1, delivered: 1 })
  })
})

describe('a replay that is interrupted', () => {
  test('goes on where it was, and sends nothing twice, also when two processes advance it', async () => {
    const ids = await happen(30)
    await attemptAll()
    const { id } = await replay({ mode: 'all' })
    const { sql } = api.database
    // A process that dies within the transaction leaves nothing behind.
    await expect(
      sql.begin(async (tx) => {
        const dying = Object.assign(
          (...args: unknown[]) => (tx as never as (...a: unknown[]) => unknown)(...args),
          tx,
          {
            begin: (work: (inner: typeof tx) => unknown) => work(tx),
          },
        )
        expect((await advanceReplay(dying as never, id, 7, 7))?.added).toBe(7)
        throw new Error('died')
      }),
    ).rejects.toThrow('died')
    for (let step = 0; step < 20; step += 1) {
      await Promise.all([
        advanceReplay(sql, id, 5, 3),
        advanceReplay(sql, id, 5, 3),
        attempts.attemptPending(),
      ])
    }
    await finish(id)
    expect(sentIds()).toHaveLength(30)
    expect(new Set(sentIds())).toEqual(new Set(ids))
    expect(await show(id)).toMatchObject({ status: 'completed', matched: 30, sent: 30, delivered: 30 })
  })

  test('and a circuit never send the same delivery at the same time', async () => {
    const { sql } = api.database
    await happen(2)
    receiver.behave(answers(500))
    await attempts.attemptPending()
    await sql`UPDATE webhook_circuits SET state = 'open' WHERE endpoint_id = ${endpoint}`
    await sql`UPDATE webhook_deliveries SET circuit_wait_since = now() WHERE endpoint_id = ${endpoint}`
    const mayBeSent = async () => (await pendingInOrder(sql, endpoint, 0n, 10)).length
    const restarts = async () => {
      const [row] =
        await sql`SELECT sum(restarts)::int FROM webhook_deliveries WHERE endpoint_id = ${endpoint}`
      return row?.sum
    }
    expect(await mayBeSent()).toBe(2)
    // While the circuit is half open it sends both, and a replay only counts them.
    await sql`UPDATE webhook_circuits SET state = 'half_open', drained_to = 0 WHERE endpoint_id = ${endpoint}`
    const counting = await replay({ mode: 'failed' })
    expect((await advanceReplay(sql, counting.id, 10, 10))?.added).toBe(2)
    expect([await mayBeSent(), await restarts()]).toEqual([2, 0])
    // While it is open a replay sends both, and the circuit leaves them alone.
    await sql`UPDATE webhook_circuits SET state = 'open' WHERE endpoint_id = ${endpoint}`
    const sending = await replay({ mode: 'failed' })
    expect((await advanceReplay(sql, sending.id, 10, 10))?.added).toBe(2)
    expect([await mayBeSent(), await restarts()]).toEqual([0, 2])
  })

  test('lets new deliveries go first', async () => {
    await happen(5)
    await attemptAll()
    const { id } = await replay({ mode: 'all' })
    await advanceReplay(api.database.sql, id, 5, 5)
    const [fresh = ''] = await happen(1)
    const started = await unstartedDeliveries(api.database.sql, 'sendable', 10)
    expect(started).toHaveLength(6)
    expect(started[0]).toMatchObject({ eventId: fresh })
  })

  test('is found by the sweeper while it runs, and not afterwards', async () => {
    await happen(1)
    await attemptAll()
    const { id } = await replay({ mode: 'all' })
    const late = async () => (await lateReplays(api.database.sql, -1_000, 100)).map((row) => row.id)
    expect(await late()).toContain(id)
    expect(await lateReplays(api.database.sql, 60_000, 100)).toEqual([])
    await finish(id)
    expect(await late()).not.toContain(id)
  })

  test('finds the few failures in a window of thousands, by steps that each read one slice', async () => {
    const ids = await happen(2_500)
    const failed = [ids[3], ids[1_000], ids[2_499]].map((id) => idOf(id ?? ''))
    const { sql } = api.database
    await sql`UPDATE webhook_deliveries SET status = 'delivered', workflow_started_at = now(), attempts = 1
              WHERE endpoint_id = ${endpoint}`
    for (const id of failed) {
      await sql`UPDATE webhook_deliveries SET status = 'exhausted' WHERE id = ${id}`
      await sql`INSERT INTO webhook_attempts (delivery_id, number, at, duration_ms, error) VALUES (${id}, 1, now(), 1, 'x')`
    }
    const row = await findEndpoint(sql, api.merchantId, endpoint)
    if (!row) throw new Error('No endpoint')
    const { replay: started } = await sql.begin((tx) =>
      createReplay(
        tx,
        row,
        { mode: 'failed', since: new Date(since), until: null, eventTypes: null, dryRun: false, rate: null },
        // No time to count within the request.
        -1,
      ),
    )
    expect(started).toMatchObject({ status: 'running', counted: false })
    await sql`ANALYZE events, webhook_deliveries, webhook_attempts, webhook_replays`
    // A slice is 1,000 events, each with its delivery.
    const plan = await explainQuery(sql, (explained) => countMatches(explained, started.id, () => true))
    expect(plan.rowsRead).toBeLessThan(2 * 1_000 + 200)
    await finish(started.id)
    expect(new Set(sentIds())).toEqual(new Set([3, 1_000, 2_499].map((index) => ids[index])))
    expect(await show(started.id)).toMatchObject({ status: 'completed', matched: 3, sent: 3 })
  })
})

test('a step of a replay of all events reads no more of them than it sends', async () => {
  endpoint = await create(['*'])
  await happen(300)
  const { sql } = api.database
  await sql`
    UPDATE webhook_deliveries SET status = 'delivered', workflow_started_at = now(), attempts = 1
    WHERE endpoint_id = ${endpoint}`
  const { id } = await replay({ mode: 'all' })
  await sql`ANALYZE events, webhook_deliveries, webhook_replays`
  // One connection, so that its statistics are complete.
  const one = connect(api.database.url, { max: 1, name: 'keyturn-test' })
  const eventsRead = async () => {
    await one`SELECT pg_stat_force_next_flush()`
    const [row] = await one<{ rows: bigint }[]>`
      SELECT seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_user_tables WHERE relname = 'events'`
    return Number(row?.rows)
  }
  try {
    for (let step = 1; step <= 3; step++) {
      const before = await eventsRead()
      expect(await advanceReplay(one, id, 96, 32)).toMatchObject({ added: 32, open: 32 * step })
      expect((await eventsRead()) - before).toBeLessThan(5 * 32)
    }
  } finally {
    await one.end()
  }
})

describe('a replay ends', () => {
  test('when it is cancelled, after what is under way', async () => {
    const ids = await happen(10)
    await attemptAll()
    const { id } = await replay({ mode: 'all' })
    await advanceReplay(api.database.sql, id, 2, 2)
    const cancelled = await post(`${endpoint}/replays/${id}/cancel`)
    expect(cancelled).toMatchObject({ status: 200, json: { data: { id, status: 'cancelled', sent: 0 } } })
    await finish(id)
    expect(sentIds()).toEqual(ids.slice(0, 2))
    expect(await show(id)).toMatchObject({ status: 'cancelled', matched: 10, sent: 2, delivered: 2 })
    // The same request again changes nothing.
    expect((await post(`${endpoint}/replays/${id}/cancel`)).json.data.status).toBe('cancelled')
    const [audit] = await api.database.sql`
      SELECT count(*)::int FROM audit_log WHERE action = 'webhook_endpoint.replayed' AND data ->> 'replay_id' = ${id}`
    expect(audit).toEqual({ count: 1 })
  })

  test('when it is cancelled, and counts what is answered after its workflow has ended', async () => {
    const { sql } = api.database
    await happen(4)
    await attemptAll()
    const { id } = await replay({ mode: 'all' })
    await advanceReplay(sql, id, 2, 2)
    await post(`${endpoint}/replays/${id}/cancel`)
    const { signal } = new AbortController()
    expect(await runReplay(sql, id, signal, 0)).toMatchObject({ kind: 'ended', status: 'cancelled' })
    expect(await show(id)).toMatchObject({ sent: 0, delivered: 0 })
    await attempts.attemptPending()
    await settleReplays(sql, -1_000)
    expect(await show(id)).toMatchObject({ status: 'cancelled', sent: 2, delivered: 2, failed: 0 })
    expect(await stateOf(id)).toEqual({ items: 0, settled: true })
    // A second sweep counts nothing again.
    await settleReplays(sql, -1_000)
    expect(await show(id)).toMatchObject({ sent: 2, delivered: 2 })
  })

  test('and keeps no items of deliveries that have ended, but counts those accepted later', async () => {
    const { sql } = api.database
    const [accepted = '', exhausted = '', waiting = ''] = await happen(3)
    await attemptAll()
    const { id } = await replay({ mode: 'all' })
    receiver.behave(answers(500))
    await finish(id)
    expect(await show(id)).toMatchObject({ status: 'completed', sent: 3, delivered: 0, failed: 3 })
    await settleReplays(sql, -1_000)
    expect(await stateOf(id)).toEqual({ items: 3, settled: false })
    receiver.behave(answers(200))
    await attempts.attempt(idOf(accepted))
    await sql`UPDATE webhook_deliveries SET status = 'exhausted' WHERE id = ${idOf(exhausted)}`
    expect(await show(id)).toMatchObject({ sent: 3, delivered: 1, failed: 3 })
    await settleReplays(sql, -1_000)
    expect(await show(id)).toMatchObject({ sent: 3, delivered: 1, failed: 3 })
    expect(await stateOf(id)).toEqual({ items: 1, settled: false })
    await attempts.attempt(idOf(waiting))
    await settleReplays(sql, -1_000)
    expect(await show(id)).toMatchObject({ sent: 3, delivered: 2, failed: 3 })
    expect(await stateOf(id)).toEqual({ items: 0, settled: true })
  })

  test('once: a completed one cannot be cancelled', async () => {
    const { id, status } = await replay({ mode: 'missing' })
    expect(status).toBe('completed')
    expect(await post(`${endpoint}/replays/${id}/cancel`)).toMatchObject({
      status: 409,
      json: { error: { code: 'INVALID_STATE' } },
    })
  })

  test('as failed when its endpoint is deleted', async () => {
    await happen(5)
    await attemptAll()
    const { id } = await replay({ mode: 'all' })
    await advanceReplay(api.database.sql, id, 2, 2)
    await api.call({ method: 'DELETE', path: `${ENDPOINTS}/${endpoint}` })
    await finish(id)
    const [row] = await api.database.sql`SELECT status, sent, failure FROM webhook_replays WHERE id = ${id}`
    expect(row).toEqual({ status: 'failed', sent: 0, failure: 'The endpoint was deleted' })
  })

  test('not while its endpoint takes nothing: it waits and goes on', async () => {
    await happen(4)
    await attemptAll()
    const { id } = await replay({ mode: 'all' })
    await advanceReplay(api.database.sql, id, 2, 2)
    const patch = (status: string) =>
      api.call({ method: 'PATCH', path: `${ENDPOINTS}/${endpoint}`, body: { status } })
    await patch('disabled')
    expect(await runReplay(api.database.sql, id, new AbortController().signal)).toMatchObject({
      kind: 'running',
      retryInMs: 60_000,
    })
    expect(receiver.received).toHaveLength(0)
    await patch('active')
    await finish(id)
    expect(new Set(sentIds()).size).toBe(4)
    expect(receiver.received).toHaveLength(4)
  })
})

describe('a request for a replay', () => {
  test('is refused while the endpoint is not active', async () => {
    await api.call({ method: 'PATCH', path: `${ENDPOINTS}/${endpoint}`, body: { status: 'disabled' } })
    const refused = await post(`${endpoint}/replays`, { mode: 'all', since })
    expect(refused).toMatchObject({ status: 409, json: { error: { code: 'INVALID_STATE' } } })
  })

  test('starts one replay, however often it is sent with the same Idempotency-Key', async () => {
    await happen(1)
    await attemptAll()
    const headers = { 'Idempotency-Key': randomUUID() }
    const [first, second] = [
      await post(`${endpoint}/replays`, { mode: 'all', since }, headers),
      await post(`${endpoint}/replays`, { mode: 'all', since }, headers),
    ]
    expect(second.json).toEqual(first.json)
    const listed = await api.call({ path: `${ENDPOINTS}/${endpoint}/replays` })
    expect(listed.json.data.map(({ id }: { id: string }) => id)).toEqual([first.json.data.id])
  })

  test('is refused with what it cannot mean', async () => {
    for (const body of [
      { mode: 'some' },
      { mode: 'all', since: 'yesterday' },
      { mode: 'all', until: since },
      { mode: 'all', rate: 0 },
      { mode: 'all', rate: 1.5 },
      { mode: 'all', event_types: ['nothing'] },
      { mode: 'all', odd: true },
    ]) {
      expect((await post(`${endpoint}/replays`, { since, ...body })).status).toBe(400)
    }
    expect((await post(`${endpoint}/replays`, { mode: 'all' })).status).toBe(400)
  })

  test('of another merchant, or of another endpoint, is not found', async () => {
    await happen(1)
    await attemptAll()
    const { id } = await replay({ mode: 'all' })
    const body = { mode: 'all', since }
    expect((await post(`${endpoint}/replays`, body, {}, stranger)).status).toBe(404)
    for (const path of [`${endpoint}/replays`, `${endpoint}/replays/${id}`]) {
      expect((await api.call({ path: `${ENDPOINTS}/${path}`, key: stranger })).status).toBe(404)
    }
    expect((await post(`${endpoint}/replays/${id}/cancel`, {}, {}, stranger)).status).toBe(404)
    const other = await create()
    expect((await api.call({ path: `${ENDPOINTS}/${other}/replays/${id}` })).status).toBe(404)
    expect((await post(`${other}/replays/${id}/cancel`)).status).toBe(404)
    expect((await show(id)).status).toBe('running')
  })

  test('is refused while ten replays of the merchant run, also when many come at once', async () => {
    await happen(1)
    await attemptAll()
    const answers = await Promise.all(
      Array.from({ length: 14 }, () => post(`${endpoint}/replays`, { mode: 'all', since })),
    )
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(10)
    const [refused] = answers.filter(({ status }) => status !== 202)
    expect(refused).toMatchObject({ status: 409, json: { error: { details: { limit: 10 } } } })
  })

  test('of a time range answers as before, and names the replay', async () => {
    await happen(2)
    await attemptAll()
    const until = new Date(Date.now() + 60_000).toISOString()
    const started = await post(`${endpoint}/replay`, { since, until })
    expect(started.json.data).toMatchObject({ endpoint_id: endpoint, deliveries: 2, mode: 'all', matched: 2 })
    await finish(started.json.data.id)
    expect(receiver.received).toHaveLength(2)
  })
})

test('starts the workflow of a replay, and signals it when it is cancelled', async () => {
  const sent: unknown[] = []
  const workflow = {
    signalWithStart: async (type: string, { workflowId, signal }: { workflowId: string; signal: string }) => {
      sent.push([type, workflowId, signal])
    },
  }
  const own = await startTestApi({}, { temporal: { workflow } as never })
  const { sql } = own.database
  const call = async (path: string, body: object) =>
    (await own.call({ method: 'POST', path: `${ENDPOINTS}${path}`, body })).json.data
  const { id } = await call('', { url: 'https://93.184.216.34/hook' })
  const [event] = await sql.begin((tx) =>
    appendEvents(tx, [{ merchantId: own.merchantId, type: 'signer.offline', subject: 'sig_1', data: {} }]),
  )
  while ((await sealEvents(sql)) > 0) {}
  await sql`UPDATE webhook_deliveries SET status = 'delivered' WHERE event_id = ${event ?? ''}`
  const window = { mode: 'all', since: '2026-01-01T00:00:00Z' }
  expect((await call(`/${id}/replays`, { ...window, dry_run: true })).status).toBe('completed')
  const running = await call(`/${id}/replays`, window)
  const start = ['webhookReplay', `webhook-replay:${running.id}`, 'look']
  await expect.poll(() => sent).toEqual([start])
  await call(`/${id}/replays/${running.id}/cancel`, {})
  await expect.poll(() => sent).toEqual([start, start])
  await own.database.drop()
})
