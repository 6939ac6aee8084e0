/** When a signed payment on a chain of the Bitcoin family is given up, and what comes free then. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { buildUtxoReplacement } from '../../../activities/payouts/withdrawal/build-utxo-replacement.js'
import type { UtxoAdapter } from '../../../chains/adapter.js'
import { isLive, listAttempts } from '../../../db/payouts/attempts/find-attempts.js'
import { listFreeOutputs, listSmallOutputs } from '../../../db/payouts/movements/list-small-outputs.js'
import { findRow } from '../../../db/payouts/payout-row.js'
import { refundWithdrawal } from '../../../db/payouts/withdrawals/refund-withdrawal.js'
import { type ConflictWorld, conflictWorld, PAID } from './conflict-world.js'

let world: ConflictWorld
let before: bigint
beforeAll(async () => {
  world = await conflictWorld()
})
beforeEach(async () => {
  world.node.forgets = false
  world.node.refuses = false
  before = await world.held()
})
afterAll(() => world?.stage.close())

const grow = (blocks: number) => {
  for (let block = 0; block < blocks; block++) world.model.mine([])
}
const statesOf = async (id: string) => (await listAttempts(world.sql, id)).map(({ state }) => state).reverse()
const failureOf = async (id: string) => (await findRow(world.sql, id)).failure_code
const exceptionsOf = async (id: string) =>
  (
    await world.sql<{ kind: string }[]>`
      SELECT data ->> 'kind' AS kind FROM events WHERE type = 'exception.raised' AND subject = ${id}`
  ).map((row) => row.kind)

test('one attempt that a stranger excluded does not end a payment whose other attempt can still be mined', async () => {
  const { transaction, coins } = world.fund([PAID + 5_000n, 20_000n])
  const [a, x] = coins as [(typeof coins)[0], (typeof coins)[0]]
  world.model.mine([transaction])
  await world.scan()
  const id = await world.payment()
  const first = await world.attempt(id, [a], 1_000n)
  await world.attempt(id, [a, x], 9_000n)
  world.model.mine([world.steal([x])])
  grow(10)
  // The mempool is full: the older attempt is refused for the moment.
  world.node.refuses = true
  expect(await world.step(id)).toBe('confirming')
  expect(await world.held()).toBeGreaterThan(before)
  world.node.refuses = false
  expect(await world.step(id)).toBe('confirming')
  world.model.mine()
  grow(1)
  expect(await world.step(id)).toBe('confirmed')
  expect((await findRow(world.sql, id)).transaction_hash).toBe(first.transaction.txid)
  expect(await world.held()).toBe(before)
})

test('a payment all of whose attempts a stranger excluded ends once that is final, and not before', async () => {
  const { transaction, coins } = world.fund([PAID + 5_000n, 20_000n])
  const [a, x] = coins as [(typeof coins)[0], (typeof coins)[0]]
  world.model.mine([transaction])
  await world.scan()
  const id = await world.payment()
  await world.attempt(id, [a], 1_000n)
  await world.attempt(id, [a, x], 9_000n)
  world.model.mine([world.steal([a])])
  expect(await world.step(id)).toBe('confirming')
  grow(1)
  expect(await world.step(id)).toBe('failed')
  expect(await failureOf(id)).toBe('INPUT_SPENT_ELSEWHERE')
  expect(await statesOf(id)).toEqual(['replaced', 'replaced'])
  expect(await world.held()).toBe(before)
  expect(await world.isFree(x)).toBe(true)
})

test('a payment that the watcher saw mined is never given up on the word of a node that has forgotten it', async () => {
  const { transaction, coins } = world.fund([PAID + 1_000n])
  world.model.mine([transaction])
  await world.scan()
  const id = await world.payment()
  const paid = await world.attempt(id, coins, 1_000n)
  world.model.mine([paid.transaction])
  await world.scan()
  world.node.forgets = true
  world.node.refuses = true
  grow(20)
  for (let look = 0; look < 3; look++) expect(await world.step(id)).toBe('confirming')
  expect(await statesOf(id)).toEqual(['mined'])
  world.node.forgets = false
  expect(await world.step(id)).toBe('confirmed')
})

test('a payment whose input came from a transaction that a reorganisation excluded for good ends, and its other inputs are free', async () => {
  const source = [`${'11'.repeat(32)}:0`]
  const { transaction, coins } = world.fund([PAID], source)
  const other = world.fund([50_000n])
  world.model.mine([transaction, other.transaction])
  await world.scan()
  const id = await world.payment()
  const attempt = await world.attempt(id, [...coins, ...other.coins], 1_000n)
  world.model.mine([attempt.transaction])
  expect(await world.step(id)).toBe('confirming')
  // The payer's coin goes elsewhere on the other branch; what else was mined is mined again.
  world.model.orphan(2)
  world.model.mine([other.transaction])
  grow(2)
  expect(await world.step(id)).toBe('confirming')
  expect(await statesOf(id)).toEqual(['broadcast'])
  world.model.mine([world.model.transaction([], source)])
  expect(await world.step(id)).toBe('confirming')
  grow(1)
  expect(await world.step(id)).toBe('failed')
  expect(await failureOf(id)).toBe('INPUT_VANISHED')
  expect(await world.held()).toBe(before)
  for (const coin of other.coins) expect(await world.isFree(coin)).toBe(true)
  for (const coin of coins) expect(await world.isFree(coin)).toBe(false)
})

test('the change of an attempt that lost to another one of its own payment excludes what had spent it', async () => {
  const { transaction, coins } = world.fund([3n * PAID, 30_000n])
  const [a, x] = coins as [(typeof coins)[0], (typeof coins)[0]]
  world.model.mine([transaction])
  await world.scan()
  const parent = await world.payment()
  const cheap = await world.attempt(parent, [a], 1_000n)
  const dear = await world.attempt(parent, [a, x], 9_000n)
  world.model.mine([cheap.transaction])
  grow(1)
  expect(await world.step(parent)).toBe('confirmed')
  const id = await world.payment()
  const change = { txid: cheap.transaction.txid, vout: 1, amount: 2n * PAID - 1_000n }
  await world.attempt(id, [change], 1_000n)
  world.model.orphan(2)
  world.model.mine([dear.transaction])
  grow(2)
  await world.scan()
  expect(await world.step(id)).toBe('failed')
  expect(await failureOf(id)).toBe('INPUT_VANISHED')
  expect(await world.step(parent)).toBe('confirmed')
  expect(await world.held()).toBe(before)
})

test('while an input of the first attempt is in no block, no further attempt is built and nothing is thrown', async () => {
  const { transaction, coins } = world.fund([PAID + 5_000n])
  world.model.mine([transaction])
  await world.scan()
  const id = await world.payment()
  await world.attempt(id, coins, 1_000n)
  world.model.orphan(1)
  grow(2)
  await world.scan()
  const attempts = (await listAttempts(world.sql, id)).filter(isLive)
  const adapter = world.stage.adapters.get('bitcoin') as UtxoAdapter
  for (const purpose of ['pay', 'cancel'] as const) {
    const terms = { purpose, cause: 'lagging', priority: 'normal', feeLimit: 100_000n } as const
    const row = await findRow(world.sql, id)
    const built = await buildUtxoReplacement(
      { sql: world.sql, networks: world.stage.networks, adapters: world.stage.adapters },
      adapter,
      { ...terms, attempts, unanswered: [], row },
    )
    expect(built).toMatchObject({ kind: 'waiting', code: 'INPUT_MISSING' })
  }
  world.model.mine([transaction])
  grow(1)
  expect(await world.step(id)).toBe('confirming')
  world.model.mine()
  grow(1)
  expect(await world.step(id)).toBe('confirmed')
})

test('after a reorganisation that mines another attempt, what only the losing one used can be spent again', async () => {
  const { transaction, coins } = world.fund([PAID + 5_000n, 20_000n])
  const [a, x] = coins as [(typeof coins)[0], (typeof coins)[0]]
  world.model.mine([transaction])
  await world.scan()
  const id = await world.payment()
  const first = await world.attempt(id, [a], 1_000n)
  const second = await world.attempt(id, [a, x], 9_000n)
  world.model.mine([second.transaction])
  grow(1)
  expect(await world.step(id)).toBe('confirmed')
  expect(await world.isFree(x)).toBe(false)
  world.model.orphan(2)
  world.model.mine([first.transaction])
  await world.scan()
  expect(await world.isFree(x)).toBe(false)
  grow(2)
  expect(await world.step(id)).toBe('confirmed')
  expect(await world.isFree(x)).toBe(true)
  expect(await world.isFree(a)).toBe(false)
  expect(await world.held()).toBe(before)
})

test('a payment that was given up comes back to life when the chain takes back what had excluded it', async () => {
  const { transaction, coins } = world.fund([PAID + 1_000n])
  world.model.mine([transaction])
  await world.scan()
  const id = await world.payment()
  const attempt = await world.attempt(id, coins, 1_000n)
  world.model.mine([world.steal(coins)])
  grow(1)
  expect(await world.step(id)).toBe('failed')
  expect(await world.held()).toBe(before)
  world.model.orphan(2)
  world.model.mine([attempt.transaction])
  grow(2)
  await world.scan()
  expect((await findRow(world.sql, id)).stage).toBe('confirming')
  expect(await exceptionsOf(id)).toContain('withdrawal.conflict_reverted')
  expect(await world.held()).toBeGreaterThan(before)
  expect(await world.step(id)).toBe('confirmed')
  expect(await world.held()).toBe(before)
})

test('what a signer took and has not answered keeps a payment alive, and a proof is taken again when it is given up', async () => {
  const { transaction, coins } = world.fund([PAID + 5_000n])
  world.model.mine([transaction])
  await world.scan()
  const id = await world.payment()
  await world.attempt(id, coins, 1_000n)
  const further = await world.attempt(id, coins, 3_000n)
  await world.sql`
    UPDATE attempts SET state = 'built', txid = NULL, signed_transaction = NULL WHERE id = ${further.id}`
  await world.sql`
    UPDATE signing_requests SET state = 'leased', answer = NULL WHERE transaction_id = ${further.id}`
  world.model.mine([world.steal(coins)])
  grow(5)
  expect(await world.step(id)).toBe('confirming')
  await world.sql`
    UPDATE signing_requests SET state = 'refused' WHERE transaction_id = ${further.id}`
  await world.sql`UPDATE attempts SET state = 'abandoned' WHERE id = ${further.id}`
  expect(await world.step(id)).toBe('failed')
})

test('what a signer had not answered when its payment was settled may be mined once the chain takes that back, so the hold stands', async () => {
  const { transaction, coins } = world.fund([PAID + 5_000n])
  world.model.mine([transaction])
  await world.scan()
  const id = await world.payment()
  const first = await world.attempt(id, coins, 1_000n)
  const further = await world.attempt(id, coins, 3_000n)
  await world.sql`
    UPDATE attempts SET state = 'built', txid = NULL, signed_transaction = NULL WHERE id = ${further.id}`
  await world.sql`
    UPDATE signing_requests SET state = 'leased', answer = NULL WHERE transaction_id = ${further.id}`
  world.model.mine([first.transaction])
  grow(1)
  expect(await world.step(id)).toBe('confirmed')
  expect(await statesOf(id)).toEqual(['final', 'abandoned'])
  world.model.orphan(2)
  // Under a hash that is not known it may be the very attempt that was not answered.
  world.model.mine([world.steal(coins)])
  grow(10)
  for (let look = 0; look < 2; look++) expect(await world.step(id)).toBe('confirming')
  expect(await statesOf(id)).toEqual(['broadcast', 'built'])
  expect(await world.held()).toBeGreaterThan(before)
  await world.sql`UPDATE signing_requests SET state = 'refused' WHERE transaction_id = ${further.id}`
  await world.sql`UPDATE attempts SET state = 'abandoned' WHERE id = ${further.id}`
  expect(await world.step(id)).toBe('failed')
  expect(await world.held()).toBe(before)
})

test('a consolidation leaves out a coin that a payment was signed with before it was given up', async () => {
  const change = await world.payeeOf('change')
  const mine = world.model.transaction([{ payee: change, coin: 'btc', amount: 40_000n }])
  const { transaction, coins } = world.fund([PAID])
  const coin = { txid: mine.txid, vout: 0, amount: 40_000n }
  world.model.mine([mine, transaction])
  grow(3)
  await world.scan()
  await world.sql`UPDATE deposits SET status = 'success' WHERE txid = ${mine.txid}`
  const isGathered = async () => {
    const { merchantId } = world.stage.api
    const found = await listSmallOutputs(
      world.sql,
      merchantId,
      { name: 'bitcoin', confirmations: 3 },
      50_000n,
      500,
    )
    return found.some(({ txid }) => txid === coin.txid)
  }
  expect(await isGathered()).toBe(true)
  const id = await world.payment()
  await world.attempt(id, [...coins, coin], 1_000n)
  expect(await isGathered()).toBe(false)
  world.model.mine([world.steal(coins)])
  grow(3)
  expect(await world.step(id)).toBe('failed')
  expect(await world.isFree(coin)).toBe(true)
  expect(await isGathered()).toBe(false)
})

test('a payment whose input came back from a stranger’s transaction ends when that transaction is excluded for good', async () => {
  const { transaction, coins } = world.fund([PAID + 50_000n])
  world.model.mine([transaction])
  await world.scan()
  // A stranger with our key spends our coin, and sends most of it to our change.
  const change = await world.payeeOf('change')
  const theft = world.steal(coins, [{ payee: change, coin: 'btc', amount: PAID + 40_000n }])
  world.model.mine([theft])
  await world.scan()
  const id = await world.payment()
  const back = { txid: theft.txid, vout: 0, amount: PAID + 40_000n }
  await world.attempt(id, [back], 1_000n)
  expect(await world.step(id)).toBe('confirming')
  world.model.orphan(1)
  world.model.mine([world.steal(coins)])
  grow(3)
  expect(await world.step(id)).toBe('failed')
  expect(await failureOf(id)).toBe('INPUT_VANISHED')
  expect(await world.held()).toBe(before)
})

test('a payment that nobody signed and that ended with its vanished input stays ended when the chain takes that back', async () => {
  const source = [`${'22'.repeat(32)}:0`]
  const { transaction, coins } = world.fund([PAID + 1_000n], source)
  world.model.mine([transaction])
  await world.scan()
  const id = await world.payment()
  const attempt = await world.attempt(id, coins, 1_000n)
  // The signer took it and never answered.
  await world.sql`UPDATE payouts SET stage = 'pending_signature' WHERE id = ${id}`
  await world.sql`
    UPDATE attempts SET state = 'built', txid = NULL, signed_transaction = NULL WHERE id = ${attempt.id}`
  await world.sql`
    UPDATE signing_requests SET state = 'leased', answer = NULL WHERE transaction_id = ${attempt.id}`
  world.model.orphan(1)
  world.model.mine([world.model.transaction([], source)])
  grow(3)
  await world.scan()
  const { merchantId } = world.stage.api
  await world.sql.begin((tx) =>
    refundWithdrawal(tx, world.stage.networks, {
      merchantId,
      id,
      personId: 'person',
      admin: true,
      actor: 'person:person',
      reason: 'its input vanished',
    }),
  )
  expect((await findRow(world.sql, id)).stage).toBe('failed')
  expect(await world.held()).toBe(before)
  world.model.orphan(4)
  grow(5)
  await world.scan()
  expect((await findRow(world.sql, id)).stage).toBe('failed')
  expect(await world.held()).toBe(before)
})

test('outputs that a reorganisation took back are gathered by no consolidation that was planned with them', async () => {
  const source = [`${'33'.repeat(32)}:0`]
  const lost = world.fund([30_000n], source)
  const kept = world.fund([40_000n])
  world.model.mine([lost.transaction, kept.transaction])
  await world.scan()
  await world.sql`
    UPDATE deposits SET status = 'success' WHERE txid IN (${lost.transaction.txid}, ${kept.transaction.txid})`
  const planned = [...lost.coins, ...kept.coins]
  const free = async () => (await listFreeOutputs(world.sql, 'bitcoin', planned)).map(({ txid }) => txid)
  expect(await free()).toHaveLength(2)
  world.model.orphan(1)
  grow(2)
  await world.scan()
  expect(await free()).toEqual([])
  world.model.mine([world.model.transaction([], source), kept.transaction])
  await world.scan()
  await world.sql`UPDATE deposits SET status = 'success' WHERE txid = ${kept.transaction.txid}`
  expect(await free()).toEqual([kept.transaction.txid])
})
