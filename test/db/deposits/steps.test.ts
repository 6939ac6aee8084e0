/** Books the steps of a deposit, also concurrent and repeated ones. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { dispatchPending } from '../../../activities/chain/dispatch-pending.js'
import { confirmDeposit } from '../../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../../db/deposits/credit-deposit.js'
import { holdDeposit } from '../../../db/deposits/hold-deposit.js'
import { newId } from '../../../db/new-id.js'
import type { Network, Networks } from '../../../domain/chain/network.js'
import { ChainModel } from '../../stage/chain-model.js'
import {
  bitcoin,
  ledger,
  merchantWith,
  networks,
  scan,
  settle,
  type TestAddress,
} from '../../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase({ max: 20 })
})
afterAll(() => database.drop())

let model: ChainModel
let merchantId: string
let alice: TestAddress
let user = 0
beforeEach(async () => {
  const { sql } = database
  await sql`TRUNCATE chain_cursors, chain_blocks`
  model = new ChainModel(bitcoin)
  await scan(sql, model.adapter())
  const merchant = await merchantWith(sql)
  merchantId = merchant.id
  alice = await merchant.address('bitcoin', `user-${++user}`)
})

/** Pays alice and mines so many blocks. @returns The deposit's id. */
async function pay(amount: bigint, blocks: number): Promise<string> {
  const { txid } = model.pay({ payee: alice.payee, coin: 'btc', amount })
  for (let block = 0; block < blocks; block++) model.mine()
  await scan(database.sql, model.adapter())
  const [row] = await database.sql<{ id: string }[]>`SELECT id FROM deposits WHERE txid = ${txid}`
  return row?.id ?? ''
}

async function status(id: string): Promise<unknown> {
  const [row] = await database.sql`SELECT status FROM deposits WHERE id = ${id}`
  return row?.status
}

async function forkAway(): Promise<void> {
  const depth = model.height
  model.orphan(depth)
  for (let block = 0; block <= depth; block++) model.mine([])
  await scan(database.sql, model.adapter())
}

test('posts each journal once for concurrent and repeated steps', async () => {
  const { sql } = database
  const id = await pay(700n, 3)
  const confirmed = await Promise.all(Array.from({ length: 10 }, () => confirmDeposit(sql, networks, id)))
  expect(confirmed).toEqual(Array.from({ length: 10 }, () => ({ kind: 'confirmed' })))
  const credited = await Promise.all(Array.from({ length: 10 }, () => creditDeposit(sql, networks, id)))
  expect(credited).toEqual(Array.from({ length: 10 }, () => ({ kind: 'credited' })))
  expect(await confirmDeposit(sql, networks, id)).toEqual({ kind: 'credited' })
  expect(await ledger(sql, 'available', alice.user ?? '')).toBe(700n)
  expect(await sql`SELECT 1 FROM ledger_journals WHERE reference = ${id}`).toHaveLength(2)
  expect(await sql`SELECT 1 FROM events WHERE subject = ${id}`).toHaveLength(7)
})

test('books nothing below the threshold, and says what is missing', async () => {
  const id = await pay(700n, 1)
  expect(await confirmDeposit(database.sql, networks, id)).toEqual({
    kind: 'waiting',
    stage: 'unconfirmed',
    blocks: 2,
    blockTimeSeconds: 600,
  })
  expect(await creditDeposit(database.sql, networks, id)).toEqual({ kind: 'not_confirmed' })
  expect(await confirmDeposit(database.sql, networks, 'dep_unknown')).toEqual({ kind: 'unknown' })
})

test.each(['screening_requested', 'held', 'success'])(
  'reverts a deposit that is %s after a reorg',
  async (at) => {
    const { sql } = database
    const id = await pay(700n, 3)
    await confirmDeposit(sql, networks, id)
    if (at === 'held') await holdDeposit(sql, networks, id, 'suspicious')
    if (at === 'success') await creditDeposit(sql, networks, id)
    expect(await status(id)).toBe(at)
    await forkAway()
    expect(await status(id)).toBe('reverted')
    for (const kind of ['available', 'reserved']) expect(await ledger(sql, kind, alice.user ?? '')).toBe(0n)
    expect(await ledger(sql, 'chain', alice.id)).toBe(0n)
    expect(await confirmDeposit(sql, networks, id)).toEqual({ kind: 'gone', status: 'reverted' })
    expect(await creditDeposit(sql, networks, id)).toEqual({ kind: 'gone', status: 'reverted' })
    expect(await holdDeposit(sql, networks, id, 'late')).toEqual({ kind: 'gone', status: 'reverted' })
  },
)

test('books dust without making it available', async () => {
  const { sql } = database
  const [coin] = bitcoin.coins
  const dusty: Networks = new Map([['bitcoin', { ...bitcoin, coins: [{ ...coin, dust: 546n }] } as Network]])
  const id = await pay(545n, 3)
  await confirmDeposit(sql, dusty, id)
  expect(await creditDeposit(sql, dusty, id)).toEqual({ kind: 'held' })
  expect(await ledger(sql, 'reserved', alice.user ?? '')).toBe(545n)
  expect(await ledger(sql, 'available', alice.user ?? '')).toBe(0n)
})

test('credits a coinbase only when it can be spent', async () => {
  const adapter = model.adapter()
  const { blocks } = adapter
  const { txid } = model.pay({ payee: alice.payee, coin: 'btc', amount: 5_000n })
  model.mine()
  Object.assign(adapter, {
    blocks: async (from: number, to: number) =>
      (await blocks(from, to)).map((block) => ({
        ...block,
        transfers: block.transfers.map((transfer) => ({ ...transfer, coinbase: true })),
      })),
  })
  await scan(database.sql, adapter)
  const [row] =
    await database.sql`SELECT required_confirmations, target_height FROM deposits WHERE txid = ${txid}`
  expect(row).toEqual({ required_confirmations: 100, target_height: 100n })
})

test('counts everything beside the deposit in the balances of its address', async () => {
  const { sql } = database
  await pay(100n, 3)
  await settle(sql)
  const second = await pay(30n, 3)
  await confirmDeposit(sql, networks, second)
  const [event] = await sql`
    SELECT data -> 'funds' AS funds FROM events WHERE subject = ${second} AND type = 'balance.updated'`
  expect(event?.funds).toEqual([
    { type: 'AVAILABLE', balance: '0.000001', delta: '0' },
    { type: 'BLOCKCHAIN', balance: '0.0000013', delta: '0.0000003' },
    { type: 'RESERVED', balance: '0.0000003', delta: '0.0000003' },
  ])
})

test('signals a payout once when its transaction is final, and once when it leaves the chain', async () => {
  const { sql } = database
  const withdrawal = newId('withdrawal')
  const payment = model.transaction([{ payee: 'ee'.repeat(20), coin: 'btc', amount: 1n }])
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, coin, amount, max_fee, state, payload, txid)
    VALUES (${newId('tx')}, ${merchantId}, 'withdrawal', ${withdrawal}, 1, 'bitcoin', 'btc', 1, 1, 'broadcast', '{}', ${payment.txid})`
  const signals: string[] = []
  const gate = {
    startDeposit: async () => true,
    startWithdrawal: async () => true,
    startChainWatcher: async () => {},
    wakePayment: async () => {},
    signal: async (id: string, signal: string) => {
      signals.push(`${id} ${signal}`)
      return true
    },
  }
  const step = async () => {
    await scan(sql, model.adapter())
    await dispatchPending(sql, bitcoin, gate)
    await dispatchPending(sql, bitcoin, gate)
    return signals.splice(0).filter((each) => each.includes(withdrawal))
  }
  model.mine([payment])
  expect(await step()).toEqual([])
  model.mine([])
  model.mine([])
  expect(await step()).toEqual([`withdrawal:${withdrawal} heightReached`])
  await forkAway()
  expect(await step()).toEqual([`withdrawal:${withdrawal} reorged`])
  model.mine([payment])
  model.mine([])
  model.mine([])
  expect(await step()).toEqual([`withdrawal:${withdrawal} heightReached`])
})
