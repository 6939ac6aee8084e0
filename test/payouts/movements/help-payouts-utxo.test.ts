/**
 * People speed up, cancel and investigate parts of batches and movements of a UTXO network that wait for a
 * block.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Payout } from '../../../wire/payout.js'
import { type BitcoinRail, BTC, openBitcoin } from '../../stage/open-bitcoin.js'
import { addressOf, availableTo } from '../../stage/rail-steps.js'
import { realSigner } from '../../stage/real-signer.js'
import type { Stage } from '../../stage/start-stage.js'
import {
  creditAsWorkflow,
  expectBooksToBeTheChain,
  untilMovement,
  untilQuiet,
  withTreasury,
} from '../../stage/treasury.js'

let rail: BitcoinRail
let stage: Stage

beforeAll(async () => {
  rail = await openBitcoin({
    wrap: (real) =>
      new Proxy(real, {
        get: (target, name) => (name === 'feeRate' ? async () => 2 : Reflect.get(target, name)),
      }),
    change: (networks) =>
      withTreasury(networks, 'bitcoin', {
        automatic: false,
        consolidation: { least: {}, worth: {}, maxFeePercent: 10, retryMs: 500, expiryMs: 3_600_000 },
        outputs: { maxFeeRate: 8, maxFeePercent: 10, small: BTC / 10n, count: 3 },
      }),
  })
  stage = rail.stage
  const hot = await stage.wallet('bitcoin', 'hot')
  const coins = Array.from({ length: 6 }, () => ({ address: hot.address, amount: BTC }))
  await creditAsWorkflow(stage, rail.temporal, await rail.bitcoin.faucet.pay(coins))
  stage.signer.run(realSigner(stage))
}, 120_000)
afterAll(() => rail?.close())

const call = (method: string, path: string, body?: unknown, person: 0 | 1 | 2 = 1) =>
  stage.api.call({
    method,
    path: `/api/v1${path}`,
    key: stage.people[person].key,
    ...(body === undefined ? {} : { body }),
  })
async function batchOf(amount: string): Promise<string> {
  const { status, json } = await stage.createBatch({
    batch_withdrawal: {
      network: 'bitcoin',
      coin: 'btc',
      outputs: [{ to_address: rail.bitcoin.faucet.address, amount }],
    },
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  await stage.approve(json.data.id)
  return json.data.id
}
async function untilPart(batch: string, holds: (part: Payout) => boolean): Promise<Payout> {
  let seen: unknown
  for (let look = 0; look < 600; look++) {
    const { json } = await call('GET', `/batches/${batch}/parts`)
    seen = json
    const found = (json.data as Payout[] | undefined)?.find(holds)
    if (found) return found
    await sleep(50)
  }
  throw new Error(JSON.stringify(seen))
}
const attemptsOf = (id: string) => stage.api.database.sql<
  { cause: string; purpose: string; state: string; outpoints: string[] }[]
>`
  SELECT cause, purpose, state, ARRAY(
    SELECT input ->> 'txid' || ':' || (input ->> 'vout') FROM jsonb_array_elements(inputs) AS input ORDER BY 1) AS outpoints
  FROM attempts WHERE payout_id = ${id} ORDER BY number`
async function untilSent(id: string, count: number) {
  for (let look = 0; look < 600; look++) {
    const attempts = await attemptsOf(id)
    if (attempts.length === count && attempts.at(-1)?.state === 'broadcast') return attempts
    await sleep(50)
  }
  throw new Error(JSON.stringify(await attemptsOf(id)))
}
async function expectClosedBooks(): Promise<void> {
  await untilQuiet(stage)
  await expectBooksToBeTheChain(stage, 'bitcoin')
  expect(await stage.api.database.sql`SELECT FROM utxo_reservations WHERE released_at IS NULL`).toEqual([])
}

test('speeds up a part of a batch, then cancels it: its item is unpaid, and its outputs are free', async () => {
  await rail.mining(false)
  const batch = await batchOf('0.5')
  const part = await untilPart(batch, (each) => each.stage === 'confirming')
  expect(part).toMatchObject({ kind: 'batch_part', batch_id: batch, items: [0] })
  expect((await call('POST', `/parts/${part.id}/speed-up`, { priority: 'urgent' })).status).toBe(200)
  await untilSent(part.id, 2)
  // The initiator of the batch cannot decide alone that it is not paid.
  const asker = await call('POST', `/parts/${part.id}/cancel-transaction`, { reason: 'stuck' }, 0)
  expect(asker.json.error.code).toBe('INITIATOR_CANNOT_APPROVE')
  expect((await call('POST', `/parts/${part.id}/cancel-transaction`, { reason: 'stuck' })).status).toBe(200)
  const attempts = await untilSent(part.id, 3)
  expect(attempts.map(({ cause, purpose }) => [cause, purpose])).toEqual([
    ['first', 'pay'],
    ['speed_up', 'pay'],
    ['cancel', 'cancel'],
  ])
  // The transaction that excludes the payout spends an output of it.
  expect(attempts[2]?.outpoints).toEqual(expect.arrayContaining(attempts[0]?.outpoints ?? ['none']))
  await rail.mining(true)
  const view = await stage.untilBatch(batch, 'cancelled')
  expect(view.items[0]).toMatchObject({ status: 'cancelled', failure: { code: 'CANCELLED' } })
  await stage.untilBatch(await batchOf('0.25'), 'confirmed')
  await expectClosedBooks()
}, 120_000)

test('speeds up a movement, then cancels it: its outputs are back in one, and users have what they had', async () => {
  const deposits = []
  for (const amount of [1_000_000n, 2_000_000n, 3_000_000n, 4_000_000n]) {
    deposits.push({ address: await addressOf(stage, 'bitcoin', 'mover'), amount })
  }
  await creditAsWorkflow(stage, rail.temporal, await rail.bitcoin.faucet.pay(deposits))
  await rail.mining(false)
  expect((await call('POST', '/movements/consolidate', { network: 'bitcoin' })).status).toBe(200)
  const { id } = await untilMovement(
    stage,
    (each) => each.kind === 'consolidation' && each.stage === 'confirming',
  )
  expect((await call('POST', `/movements/${id}/speed-up`, {})).json.data).toMatchObject({
    id,
    kind: 'consolidation',
    batch_id: null,
  })
  await untilSent(id, 2)
  expect((await call('POST', `/movements/${id}/cancel-transaction`, { reason: 'too high' })).status).toBe(200)
  const attempts = await untilSent(id, 3)
  expect(attempts.map((each) => each.cause)).toEqual(['first', 'speed_up', 'cancel'])
  // It brings everything back in one output, so there is nothing left to consolidate.
  expect(attempts[2]?.outpoints).toEqual(attempts[0]?.outpoints)
  expect(attempts[2]?.outpoints).toHaveLength(4)
  await rail.mining(true)
  await untilMovement(stage, (each) => each.id === id && each.stage === 'cancelled')
  expect(await availableTo(stage, 'bitcoin', 'btc', 'mover')).toBe('0.1')
  await expectClosedBooks()
}, 120_000)

test('hands a part and a movement under investigation to no signer until they are cleared', async () => {
  await stage.signer.stop()
  const batch = await batchOf('0.1')
  const part = await untilPart(batch, (each) => each.stage === 'pending_signature')
  const address = await addressOf(stage, 'bitcoin', 'odd')
  const deposits = [1_000_000n, 2_000_000n, 3_000_000n].map((amount) => ({ address, amount }))
  await creditAsWorkflow(stage, rail.temporal, await rail.bitcoin.faucet.pay(deposits))
  expect((await call('POST', '/movements/consolidate', { network: 'bitcoin' })).status).toBe(200)
  const movement = await untilMovement(
    stage,
    (each) => each.kind === 'consolidation' && each.stage === 'pending_signature',
  )
  const paths = [`/parts/${part.id}`, `/movements/${movement.id}`]
  for (const path of paths) {
    const marked = await call('POST', `${path}/mark-for-investigation`, { reason: 'odd' })
    expect([marked.status, marked.json.data.investigation.reason]).toEqual([200, 'odd'])
  }
  expect((await stage.signer.claim()).requests).toEqual([])
  // Each kind has its own path.
  for (const path of [`/parts/${movement.id}`, `/movements/${part.id}`]) {
    expect((await call('POST', `${path}/clear-investigation`, { reason: 'x' })).status).toBe(404)
  }
  for (const path of paths) {
    expect((await call('POST', `${path}/clear-investigation`, { reason: 'fine' })).status).toBe(200)
  }
  stage.signer.run(realSigner(stage))
  await stage.untilBatch(batch, 'confirmed')
  await untilMovement(stage, (each) => each.id === movement.id && each.stage === 'confirmed')
  await expectClosedBooks()
}, 120_000)
