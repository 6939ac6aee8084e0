/** Tests what ends a payout's wait for its signer: the answer, and a request that is taken back. */

import { MockActivityEnvironment } from '@temporalio/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { awaitSignature } from '../../../activities/payouts/withdrawal/await-signature.js'
import { buildWithdrawal } from '../../../activities/payouts/withdrawal/build-withdrawal.js'
import type { WithdrawalChainDependencies } from '../../../activities/payouts/withdrawal/dependencies.js'
import type { Sql } from '../../../db/connect.js'
import { notify, watchNotices } from '../../../db/notices.js'
import { rebuildWithdrawal } from '../../../db/payouts/rebuild-withdrawal.js'
import { BTC } from '../../stage/open-bitcoin.js'
import { openPaperRail } from '../../stage/open-paper-rail.js'
import type { Stage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

/** Longer than a test may take, so a wait that ends was woken. */
const NEVER_MS = 3_600_000
const networks = testNetworks({ BITCOIN_ENABLED: 'true' })
let stage: Stage
let dependencies: WithdrawalChainDependencies

beforeAll(async () => {
  const rail = await openPaperRail({ networks, feeRate: 5, outputs: Array.from({ length: 20 }, () => BTC) })
  stage = rail.stage
  dependencies = { ...rail.dependencies, signatureLookMs: { online: NEVER_MS, offline: NEVER_MS } }
})
afterAll(() => stage?.close())

/** Creates a withdrawal that waits for its signer. */
async function built(): Promise<string> {
  const { json } = await stage.create({
    network: 'bitcoin',
    coin: 'btc',
    amount: '0.1',
    to_address: 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080',
  })
  const { id } = json.data
  await dependencies.sql`UPDATE payouts SET stage = 'approved' WHERE id = ${id}`
  await buildWithdrawal(dependencies, id)
  return id
}

/** Waits until a notification has arrived, and so every earlier one. */
async function untilArrived(sql: Sql): Promise<void> {
  const watch = watchNotices(sql, 'signing_answer', 'arrived')
  await notify(sql, 'signing_answer', 'arrived')
  await watch.wait(NEVER_MS)
  watch.end()
}

test('watches for the answer before it reads the row', async () => {
  const id = await built()
  const before: string[] = []
  const order = new Proxy(dependencies.sql, {
    apply(sql, self, values) {
      before.push('query')
      return Reflect.apply(sql, self, values)
    },
    get(sql, name) {
      if (name === 'listen') before.push('listen')
      return Reflect.get(sql, name)
    },
  })
  const stopped = new MockActivityEnvironment()
  const waiting = stopped.run(() => awaitSignature({ ...dependencies, sql: order }, id))
  await expect.poll(() => before.length).toBeGreaterThanOrEqual(2)
  expect(before.slice(0, 2)).toEqual(['listen', 'query'])
  stopped.cancel()
  await expect(waiting).rejects.toThrow()
})

test('notifies the wait when the request is taken back', async () => {
  const { sql } = dependencies
  const id = await built()
  await untilArrived(sql)
  const watch = watchNotices(sql, 'signing_answer', id)
  const woken = watch.wait(NEVER_MS)
  await rebuildWithdrawal(sql, networks, id, 'taken back')
  await woken
  watch.end()
  expect((await stage.read(id)).stage).toBe('building')
})

test('notifies the wait when the signer answers', async () => {
  const { sql } = dependencies
  const id = await built()
  await stage.signer.claim()
  const [request] = await sql<{ id: string }[]>`SELECT id FROM signing_requests WHERE payout_id = ${id}`
  await untilArrived(sql)
  const watch = watchNotices(sql, 'signing_answer', id)
  const woken = watch.wait(NEVER_MS)
  const refusal = { outcome: 'refused', code: 'INTENT_EXPIRED', message: 'too late' } as const
  const { status } = await stage.signer.answer({ ...refusal, request_id: request?.id ?? '' })
  expect(status).toBe(200)
  await woken
  watch.end()
  const look = new MockActivityEnvironment().run(() => awaitSignature(dependencies, id))
  expect(await look).toEqual({ kind: 'answered' })
})
