/** When a signed UTXO payout is given up, and which outputs are free then. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { buildUtxoReplacement } from '../../../activities/payouts/withdrawal/build-utxo-replacement.js'
import type { UtxoAdapter } from '../../../chains/adapter.js'
import { isLive, listAttempts } from '../../../db/payouts/attempts/find-attempts.js'
import { listFreeOutputs, listSmallOutputs } from '../../../db/payouts/movements/list-small-outputs.js'
import { findRow } from '../../../db/payouts/payout-row.js'
import { refundWithdrawal } from '../../../db/payouts/withdrawals/refund-withdrawal.js'
import { type MemoryRail, openMemoryRail, PAID } from '../../stage/memory-rail.js'

let rail: MemoryRail
let before: bigint
beforeAll(async () => {
  rail = await openMemoryRail()
})
beforeEach(async () => {
  rail.node.forgets = false
  rail.node.refuses = false
  before = await rail.held()
})
afterAll(() => rail?.stage.close())

const grow = (blocks: number) => {
  for (let block = 0; block < blocks; block++) rail.model.mine([])
}
const statesOf = async (id: string) => (await listAttempts(rail.sql, id)).map(({ state }) => state).reverse()
const failureOf = async (id: string) => (await findRow(rail.sql, id)).failure_code
const exceptionsOf = async (id: string) =>
  (
    await rail.sql<{ kind: string }[]>`
      SELECT data ->> 'detail' AS kind FROM events WHERE type = 'exception.raised' AND subject = ${id}`
  ).map((row) => row.kind)

test('keeps a payout of which one attempt is excluded and another can still be mined', async () => {
  const { transaction, coins } = rail.fund([PAID + 5_000n, 20_000n])
  const [a, x] = coins as [(typeof coins)[0], (typeof coins)[0]]
  rail.model.mine([transaction])
  await rail.scan()
  const id = await rail.withdrawal()
  const first = await rail.attempt(id, [a], 1_000n)
  await rail.attempt(id, [a, x], 9_000n)
  rail.model.mine([rail.steal([x])])
  grow(10)
  // The mempool is full: the node refuses the older attempt for the moment.
  rail.node.refuses = true
  expect(await rail.step(id)).toBe('confirming')
  expect(await rail.held()).toBeGreaterThan(before)
  rail.node.refuses = false
  expect(await rail.step(id)).toBe('confirming')
  rail.model.mine()
  grow(1)
  expect(await rail.step(id)).toBe('confirmed')
  expect((await findRow(rail.sql, id)).transaction_hash).toBe(first.transaction.txid)
  expect(await rail.held()).toBe(before)
})

test('ends a payout all of whose attempts a stranger excluded once that is final, and not before', async () => {
  const { transaction, coins } = rail.fund([PAID + 5_000n, 20_000n])
  const [a, x] = coins as [(typeof coins)[0], (typeof coins)[0]]
  rail.model.mine([transaction])
  await rail.scan()
  const id = await rail.withdrawal()
  await rail.attempt(id, [a], 1_000n)
  await rail.attempt(id, [a, x], 9_000n)
  rail.model.mine([rail.steal([a])])
  expect(await rail.step(id)).toBe('confirming')
  grow(1)
  expect(await rail.step(id)).toBe('failed')
  expect(await failureOf(id)).toBe('INPUT_SPENT_ELSEWHERE')
  expect(await statesOf(id)).toEqual(['replaced', 'replaced'])
  expect(await rail.held()).toBe(before)
  expect(await rail.isFree(x)).toBe(true)
})

test('never gives up a payout that the watcher saw mined because a node has forgotten it', async () => {
  const { transaction, coins } = rail.fund([PAID + 1_000n])
  rail.model.mine([transaction])
  await rail.scan()
  const id = await rail.withdrawal()
  const paid = await rail.attempt(id, coins, 1_000n)
  rail.model.mine([paid.transaction])
  await rail.scan()
  rail.node.forgets = true
  rail.node.refuses = true
  grow(20)
  for (let look = 0; look < 3; look++) expect(await rail.step(id)).toBe('confirming')
  expect(await statesOf(id)).toEqual(['mined'])
  rail.node.forgets = false
  expect(await rail.step(id)).toBe('confirmed')
})

test('ends a payout whose input a reorg excluded for good, and frees its other inputs', async () => {
  const source = [`${'11'.repeat(32)}:0`]
  const { transaction, coins } = rail.fund([PAID], source)
  const other = rail.fund([50_000n])
  rail.model.mine([transaction, other.transaction])
  await rail.scan()
  const id = await rail.withdrawal()
  const attempt = await rail.attempt(id, [...coins, ...other.coins], 1_000n)
  rail.model.mine([attempt.transaction])
  expect(await rail.step(id)).toBe('confirming')
  // The payer’s coin goes elsewhere on the other branch. Everything else is mined again.
  rail.model.orphan(2)
  rail.model.mine([other.transaction])
  grow(2)
  expect(await rail.step(id)).toBe('confirming')
  expect(await statesOf(id)).toEqual(['broadcast'])
  rail.model.mine([rail.model.transaction([], source)])
  expect(await rail.step(id)).toBe('confirming')
  grow(1)
  expect(await rail.step(id)).toBe('failed')
  expect(await failureOf(id)).toBe('INPUT_VANISHED')
  expect(await rail.held()).toBe(before)
  for (const coin of other.coins) expect(await rail.isFree(coin)).toBe(true)
  for (const coin of coins) expect(await rail.isFree(coin)).toBe(false)
})

test('lets the change of a losing attempt exclude the transaction that spent it', async () => {
  const { transaction, coins } = rail.fund([3n * PAID, 30_000n])
  const [a, x] = coins as [(typeof coins)[0], (typeof coins)[0]]
  rail.model.mine([transaction])
  await rail.scan()
  const parent = await rail.withdrawal()
  const cheap = await rail.attempt(parent, [a], 1_000n)
  const dear = await rail.attempt(parent, [a, x], 9_000n)
  rail.model.mine([cheap.transaction])
  grow(1)
  expect(await rail.step(parent)).toBe('confirmed')
  const id = await rail.withdrawal()
  const change = { txid: cheap.transaction.txid, vout: 1, amount: 2n * PAID - 1_000n }
  await rail.attempt(id, [change], 1_000n)
  rail.model.orphan(2)
  rail.model.mine([dear.transaction])
  grow(2)
  await rail.scan()
  expect(await rail.step(id)).toBe('failed')
  expect(await failureOf(id)).toBe('INPUT_VANISHED')
  expect(await rail.step(parent)).toBe('confirmed')
  expect(await rail.held()).toBe(before)
})

test('builds no further attempt, and throws nothing, while an input of the first one is in no block', async () => {
  const { transaction, coins } = rail.fund([PAID + 5_000n])
  rail.model.mine([transaction])
  await rail.scan()
  const id = await rail.withdrawal()
  await rail.attempt(id, coins, 1_000n)
  rail.model.orphan(1)
  grow(2)
  await rail.scan()
  const attempts = (await listAttempts(rail.sql, id)).filter(isLive)
  const adapter = rail.stage.adapters.get('bitcoin') as UtxoAdapter
  for (const purpose of ['pay', 'cancel'] as const) {
    const terms = { purpose, cause: 'lagging', priority: 'normal', feeLimit: 100_000n } as const
    const row = await findRow(rail.sql, id)
    const built = await buildUtxoReplacement(
      { sql: rail.sql, networks: rail.stage.networks, adapters: rail.stage.adapters },
      adapter,
      { ...terms, attempts, unanswered: [], row },
    )
    expect(built).toMatchObject({ kind: 'waiting', code: 'INPUT_MISSING' })
  }
  rail.model.mine([transaction])
  grow(1)
  expect(await rail.step(id)).toBe('confirming')
  rail.model.mine()
  grow(1)
  expect(await rail.step(id)).toBe('confirmed')
})

test('frees what only the losing attempt used after a reorg mines another one', async () => {
  const { transaction, coins } = rail.fund([PAID + 5_000n, 20_000n])
  const [a, x] = coins as [(typeof coins)[0], (typeof coins)[0]]
  rail.model.mine([transaction])
  await rail.scan()
  const id = await rail.withdrawal()
  const first = await rail.attempt(id, [a], 1_000n)
  const second = await rail.attempt(id, [a, x], 9_000n)
  rail.model.mine([second.transaction])
  grow(1)
  expect(await rail.step(id)).toBe('confirmed')
  expect(await rail.isFree(x)).toBe(false)
  rail.model.orphan(2)
  rail.model.mine([first.transaction])
  await rail.scan()
  expect(await rail.isFree(x)).toBe(false)
  grow(2)
  expect(await rail.step(id)).toBe('confirmed')
  expect(await rail.isFree(x)).toBe(true)
  expect(await rail.isFree(a)).toBe(false)
  expect(await rail.held()).toBe(before)
})

test('revives a payout that was given up when the chain removes what had excluded it', async () => {
  const { transaction, coins } = rail.fund([PAID + 1_000n])
  rail.model.mine([transaction])
  await rail.scan()
  const id = await rail.withdrawal()
  const attempt = await rail.attempt(id, coins, 1_000n)
  rail.model.mine([rail.steal(coins)])
  grow(1)
  expect(await rail.step(id)).toBe('failed')
  expect(await rail.held()).toBe(before)
  rail.model.orphan(2)
  rail.model.mine([attempt.transaction])
  grow(2)
  await rail.scan()
  expect((await findRow(rail.sql, id)).stage).toBe('confirming')
  expect(await exceptionsOf(id)).toContain('withdrawal.conflict_reverted')
  expect(await rail.held()).toBeGreaterThan(before)
  expect(await rail.step(id)).toBe('confirmed')
  expect(await rail.held()).toBe(before)
})

test('keeps a payout with an unanswered request, and proves it again when it is given up', async () => {
  const { transaction, coins } = rail.fund([PAID + 5_000n])
  rail.model.mine([transaction])
  await rail.scan()
  const id = await rail.withdrawal()
  await rail.attempt(id, coins, 1_000n)
  const further = await rail.attempt(id, coins, 3_000n)
  await rail.sql`
    UPDATE attempts SET state = 'built', txid = NULL, signed_transaction = NULL WHERE id = ${further.id}`
  await rail.sql`
    UPDATE signing_requests SET state = 'leased', answer = NULL WHERE transaction_id = ${further.id}`
  rail.model.mine([rail.steal(coins)])
  grow(5)
  expect(await rail.step(id)).toBe('confirming')
  await rail.sql`
    UPDATE signing_requests SET state = 'refused' WHERE transaction_id = ${further.id}`
  await rail.sql`UPDATE attempts SET state = 'abandoned' WHERE id = ${further.id}`
  expect(await rail.step(id)).toBe('failed')
})

test('holds again what a signer had not answered when the payout was settled, once the chain removes the settlement', async () => {
  const { transaction, coins } = rail.fund([PAID + 5_000n])
  rail.model.mine([transaction])
  await rail.scan()
  const id = await rail.withdrawal()
  const first = await rail.attempt(id, coins, 1_000n)
  const further = await rail.attempt(id, coins, 3_000n)
  await rail.sql`
    UPDATE attempts SET state = 'built', txid = NULL, signed_transaction = NULL WHERE id = ${further.id}`
  await rail.sql`
    UPDATE signing_requests SET state = 'leased', answer = NULL WHERE transaction_id = ${further.id}`
  rail.model.mine([first.transaction])
  grow(1)
  expect(await rail.step(id)).toBe('confirmed')
  expect(await statesOf(id)).toEqual(['final', 'abandoned'])
  rail.model.orphan(2)
  // A transaction with an unknown hash may be the very attempt that was not answered.
  rail.model.mine([rail.steal(coins)])
  grow(10)
  for (let look = 0; look < 2; look++) expect(await rail.step(id)).toBe('confirming')
  expect(await statesOf(id)).toEqual(['broadcast', 'built'])
  expect(await rail.held()).toBeGreaterThan(before)
  await rail.sql`UPDATE signing_requests SET state = 'refused' WHERE transaction_id = ${further.id}`
  await rail.sql`UPDATE attempts SET state = 'abandoned' WHERE id = ${further.id}`
  expect(await rail.step(id)).toBe('failed')
  expect(await rail.held()).toBe(before)
})

test('leaves a coin out of a consolidation that a payout was signed with before it was given up', async () => {
  const change = await rail.payeeOf('change')
  const mine = rail.model.transaction([{ payee: change, coin: 'btc', amount: 40_000n }])
  const { transaction, coins } = rail.fund([PAID])
  const coin = { txid: mine.txid, vout: 0, amount: 40_000n }
  rail.model.mine([mine, transaction])
  grow(3)
  await rail.scan()
  await rail.sql`UPDATE deposits SET status = 'success' WHERE txid = ${mine.txid}`
  const isGathered = async () => {
    const { merchantId } = rail.stage.api
    const found = await listSmallOutputs(
      rail.sql,
      merchantId,
      { name: 'bitcoin', confirmations: 3 },
      50_000n,
      500,
    )
    return found.some(({ txid }) => txid === coin.txid)
  }
  expect(await isGathered()).toBe(true)
  const id = await rail.withdrawal()
  await rail.attempt(id, [...coins, coin], 1_000n)
  expect(await isGathered()).toBe(false)
  rail.model.mine([rail.steal(coins)])
  grow(3)
  expect(await rail.step(id)).toBe('failed')
  expect(await rail.isFree(coin)).toBe(true)
  expect(await isGathered()).toBe(false)
})

test('ends a payout whose input came from a stranger’s transaction when that one is excluded for good', async () => {
  const { transaction, coins } = rail.fund([PAID + 50_000n])
  rail.model.mine([transaction])
  await rail.scan()
  // A stranger with our key spends our coin, and sends most of it to our change.
  const change = await rail.payeeOf('change')
  const theft = rail.steal(coins, [{ payee: change, coin: 'btc', amount: PAID + 40_000n }])
  rail.model.mine([theft])
  await rail.scan()
  const id = await rail.withdrawal()
  const back = { txid: theft.txid, vout: 0, amount: PAID + 40_000n }
  await rail.attempt(id, [back], 1_000n)
  expect(await rail.step(id)).toBe('confirming')
  rail.model.orphan(1)
  rail.model.mine([rail.steal(coins)])
  grow(3)
  expect(await rail.step(id)).toBe('failed')
  expect(await failureOf(id)).toBe('INPUT_VANISHED')
  expect(await rail.held()).toBe(before)
})

test('keeps an unsigned payout ended that ended with its vanished input, when the chain brings that back', async () => {
  const source = [`${'22'.repeat(32)}:0`]
  const { transaction, coins } = rail.fund([PAID + 1_000n], source)
  rail.model.mine([transaction])
  await rail.scan()
  const id = await rail.withdrawal()
  const attempt = await rail.attempt(id, coins, 1_000n)
  // The signer claimed it and never answered.
  await rail.sql`UPDATE payouts SET stage = 'pending_signature' WHERE id = ${id}`
  await rail.sql`
    UPDATE attempts SET state = 'built', txid = NULL, signed_transaction = NULL WHERE id = ${attempt.id}`
  await rail.sql`
    UPDATE signing_requests SET state = 'leased', answer = NULL WHERE transaction_id = ${attempt.id}`
  rail.model.orphan(1)
  rail.model.mine([rail.model.transaction([], source)])
  grow(3)
  await rail.scan()
  const { merchantId } = rail.stage.api
  await rail.sql.begin((tx) =>
    refundWithdrawal(tx, rail.stage.networks, {
      merchantId,
      id,
      personId: 'person',
      admin: true,
      actor: 'person:person',
      reason: 'its input vanished',
    }),
  )
  expect((await findRow(rail.sql, id)).stage).toBe('failed')
  expect(await rail.held()).toBe(before)
  rail.model.orphan(4)
  grow(5)
  await rail.scan()
  expect((await findRow(rail.sql, id)).stage).toBe('failed')
  expect(await rail.held()).toBe(before)
})

test('does not consolidate planned outputs that a reorg removed', async () => {
  const source = [`${'33'.repeat(32)}:0`]
  const lost = rail.fund([30_000n], source)
  const kept = rail.fund([40_000n])
  rail.model.mine([lost.transaction, kept.transaction])
  await rail.scan()
  await rail.sql`
    UPDATE deposits SET status = 'success' WHERE txid IN (${lost.transaction.txid}, ${kept.transaction.txid})`
  const planned = [...lost.coins, ...kept.coins]
  const free = async () => (await listFreeOutputs(rail.sql, 'bitcoin', planned)).map(({ txid }) => txid)
  expect(await free()).toHaveLength(2)
  rail.model.orphan(1)
  grow(2)
  await rail.scan()
  expect(await free()).toEqual([])
  rail.model.mine([rail.model.transaction([], source), kept.transaction])
  await rail.scan()
  await rail.sql`UPDATE deposits SET status = 'success' WHERE txid = ${kept.transaction.txid}`
  expect(await free()).toEqual([kept.transaction.txid])
})
