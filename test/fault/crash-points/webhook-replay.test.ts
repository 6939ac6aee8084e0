/** Kills the worker of a replay at every commit: the endpoint receives each event once, and the counts are right. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendEvents } from '../../../db/events/log/append-events.js'
import { sealEvents } from '../../../db/events/log/seal-events.js'
import { advanceReplay } from '../../../db/events/replays/advance-replay.js'
import { createReplay } from '../../../db/events/replays/create-replay.js'
import { findReplay } from '../../../db/events/replays/find-replay.js'
import { newId } from '../../../db/new-id.js'
import { createTestEndpoint } from '../../stage/create-test-endpoint.js'
import { MASTER_KEY } from '../../stage/test-api.js'
import { createWebhookAttempts, type WebhookAttempts } from '../../stage/webhook-attempts.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js'
import { atEveryCommit } from './at-every-commit.js'

const EVENTS = 10

let database: TestDatabase
let receiver: WebhookReceiver
let attempts: WebhookAttempts
beforeAll(async () => {
  ;[database, receiver] = await Promise.all([freshDatabase(), startWebhookReceiver()])
  attempts = createWebhookAttempts(database.sql)
})
afterAll(async () => {
  await Promise.all([attempts?.close(), receiver?.close()])
  await database?.drop()
})

test.each([{ mode: 'missing' }, { mode: 'all' }] as const)(
  'replays what is $mode, each event once, at whichever commit its worker is killed',
  async ({ mode }) => {
    const { sql } = database
    const commits = await atEveryCommit(database, {
      async prepare() {
        const merchantId = newId('mer')
        await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'Shop')`
        const happen = () =>
          sql.begin((tx) =>
            appendEvents(
              tx,
              Array.from({ length: EVENTS }, () => ({
                merchantId,
                type: 'signer.offline' as const,
                subject: newId('sig'),
                data: {},
              })),
            ),
          )
        const createEndpoint = () =>
          createTestEndpoint(sql, { merchantId, url: receiver.url, masterKey: MASTER_KEY })
        // Without an endpoint the events have no delivery; with one they were delivered before.
        const before = mode === 'all' ? await createEndpoint() : null
        const events = await happen()
        await sealEvents(sql)
        await attempts.attemptPending()
        const endpoint = before ?? (await createEndpoint())
        receiver.received.length = 0
        const { replay } = await sql.begin((tx) =>
          createReplay(tx, endpoint, {
            mode,
            since: new Date(0),
            until: null,
            eventTypes: null,
            dryRun: false,
            rate: null,
          }),
        )
        return { events, merchantId, endpointId: endpoint.id, id: replay.id }
      },
      async live(own, { id }) {
        for (;;) {
          const progress = await advanceReplay(own, id, 4, 3)
          if (progress?.status !== 'running') return
          // The workers of the deliveries live on.
          await attempts.attemptPending()
        }
      },
      async facts({ events, merchantId, endpointId, id }) {
        const replay = await findReplay(sql, merchantId, endpointId, id)
        const got = receiver.received.map(({ headers }) => String(headers['webhook-id']))
        const { status, matched, sent, delivered, failed } = replay ?? {}
        return {
          status,
          matched,
          sent,
          delivered,
          failed,
          times: events.map((event) => got.filter((each) => each === event).length),
        }
      },
    })
    expect(commits).toBeGreaterThan(3)
  },
  120_000,
)
