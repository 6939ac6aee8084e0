/** Follows deposits from the mempool through blocks and reorgs to the credit. */

import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { findOvertaken } from '../../../activities/chain/find-overtaken.js'
import { lookAtMempool } from '../../../activities/chain/look-at-mempool.js'
import type { EvmAdapter } from '../../../chains/adapter.js'
import { closeGoneCauses } from '../../../db/books/exceptions/close-gone-causes.js'
import { postJournal } from '../../../db/books/ledger/post-journal.js'
import { pruneBlocks } from '../../../db/chain/prune-blocks.js'
import { readCursor } from '../../../db/networks/chain-cursor.js'
import { newId } from '../../../db/new-id.js'
import { DEFAULT_POLICY } from '../../../domain/controls/policy.js'
import { updatedPolicy } from '../../../domain/controls/policy-change.js'
import { ChainModel } from '../../stage/chain-model.js'
import {
  bitcoin,
  ethereum,
  eventStatuses,
  ledger,
  merchantWith,
  scan,
  settle,
} from '../../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

let database: TestDatabase
beforeEach(async () => {
  database = await freshDatabase()
})
const all: TestDatabase[] = []
beforeEach(() => {
  all.push(database)
})
afterAll(async () => {
  for (const each of all) await each.drop()
})

async function setup(network = bitcoin) {
  const { sql } = database
  const model = new ChainModel(network)
  const adapter = model.adapter()
  await scan(sql, adapter)
  const merchant = await merchantWith(sql)
  const alice = await merchant.address(network.name, 'alice')
  const coin = network.coins[0]?.name ?? ''
  return {
    sql,
    model,
    adapter,
    merchant,
    alice,
    coin,
    to: (amount: bigint) => ({ payee: alice.payee, coin, amount }),
  }
}

const deposit = async (txid: string) => {
  const rows = await database.sql`SELECT * FROM deposits WHERE txid = ${txid} ORDER BY output_index`
  return rows[0] as Record<string, unknown>
}

test('credits a transfer that went from the mempool through its block', async () => {
  const { sql, model, adapter, alice, to } = await setup()
  const { txid } = model.pay(to(50_000n))
  await scan(sql, adapter)
  expect(await deposit(txid)).toMatchObject({
    status: 'detected',
    user_reference: 'alice',
    amount: 50_000n,
    block_number: null,
  })

  model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect(await deposit(txid)).toMatchObject({ status: 'unconfirmed', block_number: 1n, target_height: 3n })

  model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect(await ledger(sql, 'available', 'alice')).toBe(0n)

  model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect(await deposit(txid)).toMatchObject({ status: 'success', epoch: 0 })
  expect(await ledger(sql, 'available', 'alice')).toBe(50_000n)
  expect(await ledger(sql, 'reserved', 'alice')).toBe(0n)
  expect(await ledger(sql, 'chain', alice.id)).toBe(50_000n)
  expect(await eventStatuses(sql, txid)).toEqual([
    'detected',
    'unconfirmed',
    'confirmed',
    'screening_requested',
    'success',
  ])
})

test('sends the two balance events in their place among the statuses', async () => {
  const { sql, model, adapter, to } = await setup()
  model.pay(to(20_000_000n))
  for (let block = 0; block < 3; block++) model.mine()
  await scan(sql, adapter)
  await settle(sql)
  const events =
    await sql`SELECT type, data -> 'funds' AS funds, data ->> 'status' AS status FROM events ORDER BY position`
  expect(events.map((event) => event.status ?? event.funds)).toEqual([
    'detected',
    'unconfirmed',
    'confirmed',
    [
      { type: 'AVAILABLE', balance: '0', delta: '0' },
      { type: 'BLOCKCHAIN', balance: '0.2', delta: '0.2' },
      { type: 'RESERVED', balance: '0.2', delta: '0.2' },
    ],
    'screening_requested',
    [
      { type: 'AVAILABLE', balance: '0.2', delta: '0.2' },
      { type: 'BLOCKCHAIN', balance: '0.2', delta: '0' },
      { type: 'RESERVED', balance: '0', delta: '-0.2' },
    ],
    'success',
  ])
})

test('puts everything that receivers show into a deposit event', async () => {
  const { sql, model, adapter, alice, to } = await setup()
  const { txid } = model.pay(to(50_000n))
  const block = model.mine()
  await scan(sql, adapter)
  const [event] = await sql`SELECT data FROM events WHERE data ->> 'status' = 'unconfirmed'`
  expect(event?.data).toMatchObject({
    status: 'unconfirmed',
    previous_status: 'detected',
    network: 'bitcoin',
    coin: 'btc',
    amount: '0.0005',
    user_reference: 'alice',
    address: { id: alice.id, address: alice.address, network: 'bitcoin', label: 'label of alice' },
    transaction_hash: txid,
    output_index: 0,
    confirmations: 1,
    required_confirmations: 3,
    block_number: 1,
    block_hash: block.hash,
    fee: { coin: 'btc', amount: '0.000001' },
    sources: [{ address: 'payer', amount: '0.0005' }],
    payment_id: null,
    decision: null,
  })
})

test('credits several outputs to one address as several deposits', async () => {
  const { sql, model, adapter, to } = await setup()
  const { txid } = model.pay(to(1_000n), to(1_000n), to(3_000n))
  for (let block = 0; block < 3; block++) model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect(await sql`SELECT 1 FROM deposits WHERE txid = ${txid} AND status = 'success'`).toHaveLength(3)
  expect(await ledger(sql, 'available', 'alice')).toBe(5_000n)
})

test('waits for more blocks with a large amount', async () => {
  const { sql, model, adapter, to } = await setup()
  const { txid } = model.pay(to(1_000_000_000n))
  for (let block = 0; block < 5; block++) model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect(await deposit(txid)).toMatchObject({ status: 'unconfirmed', required_confirmations: 6 })
  model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect(await deposit(txid)).toMatchObject({ status: 'success' })
})

test("waits for the further blocks of the merchant's policy", async () => {
  const { sql, model, adapter, to } = await setup()
  const tier = { network: 'bitcoin', coin: 'btc', from: '0.5', confirmations: 8 }
  await sql`
    INSERT INTO policies (merchant_id, version, policy)
    SELECT id, 1, ${sql.json(updatedPolicy(DEFAULT_POLICY, { confirmation_tiers: [tier] }) as never)} FROM merchants`
  const large = model.pay(to(50_000_000n))
  const small = model.pay(to(49_999_999n))
  model.mine()
  await scan(sql, adapter)
  expect(await deposit(large.txid)).toMatchObject({ required_confirmations: 8 })
  expect(await deposit(small.txid)).toMatchObject({ required_confirmations: 3 })
})

test('replaces a deposit after a double spend in the mempool', async () => {
  const { sql, model, adapter, to } = await setup()
  const first = model.pay(to(50_000n))
  await scan(sql, adapter)
  const second = model.send(model.transaction([to(40_000n)], first.inputs))
  await scan(sql, adapter)
  expect(await deposit(first.txid)).toMatchObject({ status: 'replaced', replaced_by: second.txid })
  expect(await deposit(second.txid)).toMatchObject({ status: 'detected' })
})

test('replaces a deposit after a mined double spend that was never in the mempool', async () => {
  const { sql, model, adapter, to } = await setup()
  const first = model.pay(to(50_000n))
  await scan(sql, adapter)
  const elsewhere = { payee: '00'.repeat(20), coin: 'btc', amount: 1n }
  model.mine([model.transaction([elsewhere], first.inputs)])
  await scan(sql, adapter)
  expect(await eventStatuses(sql, first.txid)).toEqual(['detected', 'replaced'])
})

test('credits a replaced transfer that is mined after all', async () => {
  const { sql, model, adapter, to } = await setup()
  const first = model.pay(to(50_000n))
  await scan(sql, adapter)
  model.send(model.transaction([to(40_000n)], first.inputs))
  await scan(sql, adapter)
  model.mine([first])
  model.mine()
  model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect(await ledger(sql, 'available', 'alice')).toBe(50_000n)
  expect(await eventStatuses(sql, first.txid)).toEqual([
    'detected',
    'replaced',
    'unconfirmed',
    'confirmed',
    'screening_requested',
    'success',
  ])
})

test('keeps a deposit detected, with a note, when it leaves the mempool without a conflict', async () => {
  const { sql, model, adapter, to } = await setup()
  const payment = model.pay(to(50_000n))
  await scan(sql, adapter)
  model.mempool.clear()
  await scan(sql, adapter)
  await scan(sql, adapter)
  expect(await deposit(payment.txid)).toMatchObject({ status: 'detected', absent_since: expect.any(Date) })
  model.send(payment)
  await scan(sql, adapter)
  const row = await deposit(payment.txid)
  expect(row.absent_since).toBeNull()
  expect((row.history as { cause: string }[]).map((line) => line.cause)).toEqual([
    'Seen in the mempool',
    'No longer in the mempool; it may come back',
    'In the mempool again',
  ])
})

test('matches an address only by all 20 bytes', async () => {
  const { sql, model, adapter, alice } = await setup()
  const lookalike = alice.payee.slice(0, 16) + '00'.repeat(12)
  model.pay({ payee: lookalike, coin: 'btc', amount: 1_000n })
  model.mine()
  await scan(sql, adapter)
  expect(await sql`SELECT 1 FROM deposits`).toHaveLength(0)
})

test('makes no deposit of a transfer of 0', async () => {
  const { sql, model, adapter, to } = await setup(ethereum)
  model.pay({ ...to(1n), amount: 0n })
  model.mine()
  await scan(sql, adapter)
  expect(await sql`SELECT 1 FROM deposits`).toHaveLength(0)
})

test('credits the merchant itself with what arrives at its wallet', async () => {
  const { sql, model, adapter, merchant } = await setup()
  const wallet = await merchant.address('bitcoin', null)
  model.pay({ payee: wallet.payee, coin: 'btc', amount: 7_000n })
  for (let block = 0; block < 3; block++) model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect(await ledger(sql, 'available', '')).toBe(7_000n)
})

describe('an EVM transaction that pays other things than it did', () => {
  const rowsOf = (txid: string) =>
    database.sql`
      SELECT output_index, user_reference, coin, amount, status, required_confirmations FROM deposits
      WHERE txid = ${txid} ORDER BY output_index, detected_at`

  async function deepen(model: ChainModel, adapter: ReturnType<ChainModel['adapter']>) {
    for (let block = 0; block < 4; block++) model.mine([])
    await scan(database.sql, adapter)
    await settle(database.sql)
  }

  test('credits what it pays when it is mined again, not what it paid at first', async () => {
    const { sql, model, adapter, alice, to } = await setup(ethereum)
    const payment = model.pay(to(1_000_000n))
    model.mine()
    await deepen(model, adapter)
    expect(await ledger(sql, 'available', 'alice', 'eth')).toBe(1_000_000n)
    model.orphan(5)
    model.mine([model.altered(payment, [to(1n)])])
    model.mine([])
    await deepen(model, adapter)
    expect(await ledger(sql, 'available', 'alice', 'eth')).toBe(1n)
    expect(await ledger(sql, 'chain', alice.id, 'eth')).toBe(1n)
    expect(await rowsOf(payment.txid)).toMatchObject([{ amount: 1n, status: 'success' }])
  })

  test('credits the recipient of the second mining, in another coin and of another merchant', async () => {
    const { sql, model, adapter, to } = await setup(ethereum)
    const bob = await (await merchantWith(sql)).address('ethereum', 'bob')
    const payment = model.pay(to(1_000_000n))
    model.mine()
    await deepen(model, adapter)
    model.orphan(5)
    model.mine([model.altered(payment, [{ payee: bob.payee, coin: 'usdt', amount: 7_000_000n }])])
    model.mine([])
    await deepen(model, adapter)
    expect(await ledger(sql, 'available', 'alice', 'eth')).toBe(0n)
    expect(await ledger(sql, 'available', 'bob', 'eth')).toBe(0n)
    expect(await ledger(sql, 'available', 'bob', 'usdt')).toBe(7_000_000n)
    expect(await rowsOf(payment.txid)).toMatchObject([
      { user_reference: 'alice', coin: 'eth', status: 'replaced' },
      { user_reference: 'bob', coin: 'usdt', amount: 7_000_000n, status: 'success' },
    ])
    // And back: the first deposit lives again, the second ends.
    model.orphan(6)
    model.mine([model.altered(payment, [to(5n)])])
    model.mine([])
    model.mine([])
    await deepen(model, adapter)
    expect(await ledger(sql, 'available', 'alice', 'eth')).toBe(5n)
    expect(await ledger(sql, 'available', 'bob', 'usdt')).toBe(0n)
    expect(await rowsOf(payment.txid)).toMatchObject([
      { user_reference: 'alice', amount: 5n, status: 'success' },
      { user_reference: 'bob', status: 'replaced' },
    ])
  })

  test('credits the mined amount, not the pending one, and waits for its confirmations', async () => {
    const { sql, model, adapter, to } = await setup(ethereum)
    const tier = { network: 'ethereum', coin: 'eth', from: '0.000000000000001', confirmations: 40 }
    await sql`
      INSERT INTO policies (merchant_id, version, policy)
      SELECT id, 1, ${sql.json(updatedPolicy(DEFAULT_POLICY, { confirmation_tiers: [tier] }) as never)} FROM merchants`
    const payment = model.pay(to(1_000n))
    await scan(sql, adapter)
    expect(await rowsOf(payment.txid)).toMatchObject([{ required_confirmations: 40 }])
    model.mine([model.altered(payment, [to(900n)])])
    await deepen(model, adapter)
    expect(await ledger(sql, 'available', 'alice', 'eth')).toBe(900n)
    const events = await sql`
      SELECT data ->> 'status' AS status, data ->> 'amount' AS amount, data ->> 'required_confirmations' AS required
      FROM events WHERE type = 'deposit.status_changed' ORDER BY position`
    expect(events.map((event) => [event.status, event.amount, event.required])).toEqual([
      ['detected', '0.000000000000001', '40'],
      ...['unconfirmed', 'confirmed', 'screening_requested', 'success'].map((status) => [
        status,
        '0.0000000000000009',
        '4',
      ]),
    ])
  })

  test('ends the pending deposit if it is mined without that transfer', async () => {
    const { sql, model, adapter, to } = await setup(ethereum)
    const failed = model.pay(to(1_000n))
    const half = model.pay(to(2_000n), to(3_000n))
    await scan(sql, adapter)
    model.mine([model.altered(failed, []), model.altered(half, [to(2_000n)])])
    await deepen(model, adapter)
    expect(await rowsOf(failed.txid)).toMatchObject([{ status: 'replaced' }])
    expect(await rowsOf(half.txid)).toMatchObject([{ status: 'success' }, { status: 'replaced' }])
    expect(await eventStatuses(sql, failed.txid)).toEqual(['detected', 'replaced'])
    expect(await ledger(sql, 'available', 'alice', 'eth')).toBe(2_000n)
  })

  test('shows the amount that is pending now', async () => {
    const { sql, model, adapter, to } = await setup(ethereum)
    const payment = model.pay(to(1_000n))
    await scan(sql, adapter)
    model.send(model.altered(payment, [to(800n)]))
    await scan(sql, adapter)
    expect(await rowsOf(payment.txid)).toMatchObject([{ amount: 800n, status: 'detected' }])
  })
})

describe('pending deposits that are in no mempool', () => {
  const overtake = (adapter: ReturnType<ChainModel['adapter']>) =>
    findOvertaken(database.sql, adapter as EvmAdapter)
  const elsewhere = { payee: '00'.repeat(20), coin: 'eth', amount: 1n }

  test('checks each in turn, also if many others stay away', async () => {
    const { sql, model, adapter, to } = await setup(ethereum)
    const overtaken = model.pay(to(1n))
    await scan(sql, adapter)
    model.mempool.clear()
    await scan(sql, adapter)
    for (let other = 0; other < 45; other++) model.pay(to(2n))
    await scan(sql, adapter)
    model.mempool.clear()
    await scan(sql, adapter)
    // Another transaction of the same account, which no mempool showed, used the nonce.
    model.mine([model.transaction([elsewhere], overtaken.inputs)])
    await scan(sql, adapter)
    for (let look = 0; look < 3; look++) await overtake(adapter)
    expect(await deposit(overtaken.txid)).toMatchObject({ status: 'replaced' })
    expect(await sql`SELECT 1 FROM deposits WHERE status = 'detected'`).toHaveLength(45)
  })

  test('ends one that a node showed after its block was scanned, unless the block pays it', async () => {
    const { sql, model, adapter, to } = await setup(ethereum)
    const failed = model.transaction([to(1n)])
    const mined = model.altered(failed, [])
    model.mine([mined])
    await scan(sql, adapter)
    model.mempool.set(failed.txid, model.altered(failed, [to(1n)]))
    await scan(sql, adapter)
    expect(await deposit(failed.txid)).toMatchObject({ status: 'detected' })
    model.mempool.clear()
    await scan(sql, adapter)
    // A block above the cursor proves nothing: its scan will show what it pays.
    const later = model.pay(to(2n))
    await scan(sql, adapter)
    model.mempool.clear()
    await scan(sql, adapter)
    model.mine([later])
    await overtake(adapter)
    expect(await deposit(failed.txid)).toMatchObject({ status: 'replaced' })
    expect(await deposit(later.txid)).toMatchObject({ status: 'detected' })
    await scan(sql, adapter)
    expect(await deposit(later.txid)).toMatchObject({ status: 'unconfirmed' })
  })
})

describe('own transactions', () => {
  async function own(txid: string, merchantId: string, subjectType: string) {
    await database.sql`
      INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, coin, amount, max_fee, state, payload, txid)
      VALUES (${newId('tx')}, ${merchantId}, ${subjectType}, ${newId('withdrawal')}, 1, 'bitcoin', 'btc', 1, 1, 'broadcast', '{}', ${txid})`
  }

  test('records change as an output and no deposit, and marks the spent output', async () => {
    const { sql, model, adapter, merchant, to } = await setup()
    const change = await merchant.address('bitcoin', null, 'change')
    const funding = model.pay(to(50_000n))
    model.mine()
    await scan(sql, adapter)
    const payment = model.transaction(
      [
        { payee: 'ee'.repeat(20), coin: 'btc', amount: 30_000n },
        { payee: change.payee, coin: 'btc', amount: 19_000n },
      ],
      [`${funding.txid}:0`],
    )
    await own(payment.txid, merchant.id, 'withdrawal')
    model.send(payment)
    await scan(sql, adapter)
    model.mine()
    await scan(sql, adapter)
    expect(await sql`SELECT txid FROM deposits`).toEqual([{ txid: funding.txid }])
    const outputs = await sql`SELECT txid, amount, spent_by, spent_at_block FROM utxos ORDER BY amount`
    expect(outputs).toMatchObject([
      { txid: payment.txid, amount: 19_000n, spent_by: null },
      { txid: funding.txid, amount: 50_000n, spent_by: payment.txid, spent_at_block: 2n },
    ])
    const [transaction] = await sql`SELECT state, block_number, target_height FROM attempts`
    expect(transaction).toEqual({ state: 'mined', block_number: 2n, target_height: 4n })
  })

  test("makes a deposit of a withdrawal to a user's own address", async () => {
    const { sql, model, adapter, merchant, to } = await setup()
    const payment = model.transaction([to(9_000n)])
    await own(payment.txid, merchant.id, 'withdrawal')
    model.mine([payment])
    await scan(sql, adapter)
    expect(await deposit(payment.txid)).toMatchObject({ status: 'unconfirmed', user_reference: 'alice' })
  })

  test('makes no deposit of a consolidation', async () => {
    const { sql, model, adapter, merchant } = await setup()
    const wallet = await merchant.address('bitcoin', null)
    const payment = model.transaction([{ payee: wallet.payee, coin: 'btc', amount: 9_000n }])
    await own(payment.txid, merchant.id, 'consolidation')
    model.mine([payment])
    await scan(sql, adapter)
    expect(await sql`SELECT 1 FROM deposits`).toHaveLength(0)
  })

  test('takes a mined transaction back to broadcast after a reorg, and keeps its outputs reserved', async () => {
    const { sql, model, adapter, merchant, to } = await setup()
    const funding = model.pay(to(50_000n))
    model.mine()
    const payment = model.transaction(
      [{ payee: 'ee'.repeat(20), coin: 'btc', amount: 1n }],
      [`${funding.txid}:0`],
    )
    await own(payment.txid, merchant.id, 'withdrawal')
    model.mine([payment])
    await scan(sql, adapter)
    model.orphan(1)
    model.mine([])
    model.mine([])
    await scan(sql, adapter)
    const [transaction] = await sql`SELECT state, block_number, reorged_at FROM attempts`
    expect(transaction).toMatchObject({
      state: 'broadcast',
      block_number: null,
      reorged_at: expect.any(Date),
    })
    const [output] = await sql`SELECT spent_by, spent_at_block FROM utxos`
    expect(output).toEqual({ spent_by: payment.txid, spent_at_block: null })
    model.mine([payment])
    await scan(sql, adapter)
    const [again] = await sql`SELECT state, block_number, reorged_at FROM attempts`
    expect(again).toEqual({ state: 'mined', block_number: 4n, reorged_at: null })
  })
})

describe('headers that are too deep to leave the chain', () => {
  const rules = { newest: 10, youngerThan: -60, oneIn: 20, atMost: 25 }

  test('are deleted, except for those of blocks with own rows and one in so many', async () => {
    const { sql, model, adapter, to } = await setup()
    for (let block = 1; block < 7; block++) model.mine([])
    model.pay(to(50_000n))
    while (model.height < 70) model.mine()
    await scan(sql, adapter)
    await settle(sql)
    // None is old enough yet.
    expect(await pruneBlocks(sql, 'bitcoin', undefined, { ...rules, youngerThan: 3_600 })).toBe(0)
    for (let round = 0; round < 4; round++) await pruneBlocks(sql, 'bitcoin', undefined, rules)
    const kept = await sql`SELECT height FROM chain_blocks ORDER BY height`
    expect(kept.map((row) => Number(row.height))).toEqual([7, 20, 40, 60, ...range(61, 70)])
    expect(await pruneBlocks(sql, 'bitcoin', undefined, rules)).toBe(0)
  })

  test.each([
    [5, 'success'],
    [25, 'success'],
    [63, 'success'],
    [64, 'reverted'],
    [70, 'reverted'],
  ])('do not hinder a reorg of depth %i', async (depth, status) => {
    const { sql, model, adapter, to } = await setup()
    for (let block = 1; block < 7; block++) model.mine([])
    const payment = model.pay(to(50_000n))
    while (model.height < 70) model.mine()
    await scan(sql, adapter)
    await settle(sql)
    for (let round = 0; round < 4; round++) await pruneBlocks(sql, 'bitcoin', undefined, rules)
    model.orphan(depth)
    for (let block = 0; block <= depth; block++) model.mine([])
    await scan(sql, adapter)
    expect(await deposit(payment.txid)).toMatchObject({ status, epoch: status === 'success' ? 0 : 1 })
    expect(await readCursor(sql, 'bitcoin')).toEqual({ height: 71, hash: model.blocks.at(-1)?.hash })
    const scanned = await sql`SELECT height, hash FROM chain_blocks ORDER BY height`
    for (const row of scanned) expect(row.hash).toBe(model.blocks[Number(row.height)]?.hash)
  })
})

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at)

describe('reorgs', () => {
  test('reverts a credited deposit, and credits it again once it is mined again', async () => {
    const { sql, model, adapter, alice, to } = await setup()
    const payment = model.pay(to(50_000n))
    for (let block = 0; block < 5; block++) model.mine()
    await scan(sql, adapter)
    await settle(sql)
    expect(await ledger(sql, 'available', 'alice')).toBe(50_000n)

    model.orphan(5)
    for (let block = 0; block < 6; block++) model.mine([])
    await scan(sql, adapter)
    await settle(sql)
    expect(await deposit(payment.txid)).toMatchObject({
      status: 'reverted',
      epoch: 1,
      block_number: null,
      credited_at: null,
    })
    expect(await ledger(sql, 'available', 'alice')).toBe(0n)
    expect(await ledger(sql, 'chain', alice.id)).toBe(0n)
    const [balance] =
      await sql`SELECT data FROM events WHERE type = 'balance.updated' ORDER BY position DESC LIMIT 1`
    expect((balance as { data: { funds: unknown } }).data.funds).toEqual([
      { type: 'AVAILABLE', balance: '0', delta: '-0.0005' },
      { type: 'BLOCKCHAIN', balance: '0', delta: '-0.0005' },
      { type: 'RESERVED', balance: '0', delta: '0' },
    ])

    model.mine([payment])
    model.mine([])
    model.mine([])
    await scan(sql, adapter)
    await settle(sql)
    expect(await deposit(payment.txid)).toMatchObject({ status: 'success', epoch: 1, block_number: 7n })
    expect(await ledger(sql, 'available', 'alice')).toBe(50_000n)
    const journals = await sql`SELECT type FROM ledger_journals ORDER BY id`
    expect(journals.map((journal) => journal.type)).toEqual([
      'deposit.confirmed',
      'deposit.success',
      'deposit.reverted',
      'deposit.reverted',
      'deposit.confirmed',
      'deposit.success',
    ])
    const audit = await sql`SELECT action FROM audit_log ORDER BY position`
    expect(audit.map((entry) => entry.action)).toEqual([
      'deposit.credited',
      'deposit.reverted',
      'deposit.credited',
      'exception.closed',
    ])
  })

  test('detects a deposit that is back in the mempool, and replaces it after a conflict in the new chain', async () => {
    const { sql, model, adapter, to } = await setup()
    const payment = model.pay(to(50_000n))
    model.mine()
    await scan(sql, adapter)
    model.orphan(1)
    model.send(payment)
    model.mine([])
    model.mine([])
    await scan(sql, adapter)
    expect(await deposit(payment.txid)).toMatchObject({ status: 'detected', epoch: 1 })
    model.mine([model.transaction([to(1n)], payment.inputs)])
    await scan(sql, adapter)
    expect(await eventStatuses(sql, payment.txid)).toEqual([
      'detected',
      'unconfirmed',
      'reverted',
      'detected',
      'replaced',
    ])
  })

  test('makes the balance negative and raises an exception if the money was spent meanwhile', async () => {
    const { sql, model, adapter, merchant, alice, to } = await setup()
    model.pay(to(50_000n))
    for (let block = 0; block < 3; block++) model.mine()
    await scan(sql, adapter)
    await settle(sql)
    const asset = { network: 'bitcoin', coin: 'btc' } as const
    await sql.begin((tx) =>
      postJournal(tx, {
        merchantId: merchant.id,
        idempotencyKey: 'spent',
        type: 'withdrawal.settled',
        reference: 'withdrawal',
        entries: [
          { ...asset, kind: 'available', owner: 'alice', amount: 45_000n },
          { ...asset, kind: 'chain', owner: alice.id, amount: -45_000n },
        ],
      }),
    )
    model.orphan(3)
    for (let block = 0; block < 4; block++) model.mine([])
    await scan(sql, adapter)
    expect(await ledger(sql, 'available', 'alice')).toBe(-45_000n)
    const [raised] = await sql`SELECT data FROM events WHERE type = 'exception.raised'`
    expect(raised?.data).toMatchObject({
      kind: 'reorged',
      detail: 'deposit.reverted_after_spend',
      severity: 'critical',
      user_reference: 'alice',
      available: '-0.00045',
    })
  })

  test('keeps the exception about a debt until all of it is there again', async () => {
    const { sql, model, adapter, merchant, alice, to } = await setup()
    const payments = [model.pay(to(50_000n)), model.pay(to(40_000n))]
    for (let block = 0; block < 3; block++) model.mine()
    await scan(sql, adapter)
    await settle(sql)
    const asset = { network: 'bitcoin', coin: 'btc' } as const
    await sql.begin((tx) =>
      postJournal(tx, {
        merchantId: merchant.id,
        idempotencyKey: 'spent',
        type: 'withdrawal.settled',
        reference: 'withdrawal',
        entries: [
          { ...asset, kind: 'available', owner: 'alice', amount: 80_000n },
          { ...asset, kind: 'chain', owner: alice.id, amount: -80_000n },
        ],
      }),
    )
    model.orphan(3)
    for (let block = 0; block < 4; block++) model.mine([])
    await scan(sql, adapter)
    const statuses = async () =>
      (await sql`SELECT status FROM exceptions WHERE detail = 'deposit.reverted_after_spend'`).map(
        (row) => row.status,
      )
    for (const [index, payment] of payments.entries()) {
      expect(await statuses()).toEqual(['open'])
      model.mine([payment])
      for (let block = 0; block < 3; block++) model.mine([])
      await scan(sql, adapter)
      await settle(sql)
      expect(await ledger(sql, 'available', 'alice')).toBe(index === 0 ? -30_000n : 10_000n)
      await closeGoneCauses(sql)
    }
    expect(await statuses()).toEqual(['resolved'])
  })

  test('asks few questions for a reorg of any depth', async () => {
    const { sql, model, adapter } = await setup()
    for (let block = 0; block < 600; block++) model.mine([])
    await scan(sql, adapter)
    model.orphan(500)
    for (let block = 0; block < 501; block++) model.mine([])
    model.calls = {}
    await scan(sql, adapter)
    expect(model.calls.hashAt).toBeLessThan(22)
    expect(await readCursor(sql, 'bitcoin')).toEqual({ height: 601, hash: model.blocks[601]?.hash })
    const kept = await sql`SELECT hash FROM chain_blocks ORDER BY height`
    expect(kept.map((row) => row.hash)).toEqual(model.blocks.slice(1).map((block) => block.hash))
  })

  test('reverts nothing for a node that is merely behind', async () => {
    const { sql, model, adapter, to } = await setup()
    const payment = model.pay(to(50_000n))
    for (let block = 0; block < 3; block++) model.mine()
    await scan(sql, adapter)
    await settle(sql)
    const top = model.blocks.splice(2)
    await scan(sql, adapter)
    expect(await deposit(payment.txid)).toMatchObject({ status: 'success' })
    model.blocks.push(...top)
    await scan(sql, adapter)
    expect((await readCursor(sql, 'bitcoin'))?.height).toBe(3)
  })

  test('waits for a node that is behind its load balancer instead of deepening a reorg', async () => {
    const { sql, model, adapter, to } = await setup()
    const payment = model.pay(to(50_000n))
    for (let block = 0; block < 20; block++) model.mine()
    await scan(sql, adapter)
    await settle(sql)
    const taken = async () => Number((await readCursor(sql, 'bitcoin'))?.height)
    expect(await taken()).toBe(20)
    model.orphan(1)
    model.mine([])
    model.mine([])
    // Each question but the first is answered by a node that is twelve blocks behind.
    model.calls = {}
    model.lagging = { tip: 9, answers: (question) => question > 1 }
    await expect(scan(sql, adapter)).rejects.toMatchObject({
      code: 'DEPENDENCY_UNAVAILABLE',
      retryable: true,
    })
    expect(await taken()).toBe(20)
    model.lagging = { tip: 9, answers: () => true }
    await expect(scan(sql, adapter)).rejects.toMatchObject({
      code: 'DEPENDENCY_UNAVAILABLE',
      retryable: true,
    })
    expect(await deposit(payment.txid)).toMatchObject({ status: 'success', epoch: 0 })

    model.lagging = null
    await scan(sql, adapter)
    expect(await taken()).toBe(21)
    expect(await deposit(payment.txid)).toMatchObject({ status: 'success', epoch: 0 })
    expect(await sql`SELECT 1 FROM events WHERE data ->> 'status' = 'reverted'`).toHaveLength(0)
  })

  test('reverts to a shorter chain that differs', async () => {
    const { sql, model, adapter, to } = await setup()
    const payment = model.pay(to(50_000n))
    for (let block = 0; block < 3; block++) model.mine()
    await scan(sql, adapter)
    model.orphan(3)
    model.mine([])
    await scan(sql, adapter)
    expect(await deposit(payment.txid)).toMatchObject({ status: 'reverted' })
    expect((await readCursor(sql, 'bitcoin'))?.height).toBe(1)
  })
})

describe('catching up', () => {
  test('applies every block in order after any downtime', async () => {
    const { sql, model, adapter, to } = await setup()
    for (let block = 0; block < 250; block++) {
      if (block % 50 === 0) model.pay(to(1_000n))
      model.mine()
    }
    await advanceChain(sql, adapter)
    await settle(sql)
    expect(await ledger(sql, 'available', 'alice')).toBe(5_000n)
    expect(await sql`SELECT 1 FROM chain_blocks`).toHaveLength(250)
  })

  test('keeps what was applied before an error, and applies the rest afterwards', async () => {
    const { sql, model, adapter, to } = await setup()
    model.pay(to(1_000n))
    for (let block = 0; block < 30; block++) model.mine()
    const describe = adapter.describe
    Object.assign(adapter, { describe: () => Promise.reject(new Error('node died')) })
    await expect(advanceChain(sql, adapter)).rejects.toThrow('node died')
    expect(await sql`SELECT 1 FROM deposits`).toHaveLength(0)
    Object.assign(adapter, { describe })
    await advanceChain(sql, adapter)
    await settle(sql)
    expect(await ledger(sql, 'available', 'alice')).toBe(1_000n)
  })

  describe('with a node that gives five blocks at a time', () => {
    /** Runs one pass and returns the heights of its commits, counted from the start. */
    async function commits(blocks: number, transfers: number, failsAbove = Number.POSITIVE_INFINITY) {
      const { sql, model, adapter } = await setup()
      const from = (await adapter.head()).height
      for (let block = 0; block < blocks; block++) {
        const strangers = Array.from({ length: transfers }, (_, index) => ({
          payee: index.toString(16).padStart(40, '9'),
          coin: 'btc',
          amount: 1n,
        }))
        model.mine(transfers === 0 ? [] : [model.transaction(strangers)])
      }
      const failing: typeof adapter = {
        ...adapter,
        blocks: async (first: number, to: number) => {
          if (first > from + failsAbove) throw new Error('node died')
          return adapter.blocks(first, Math.min(to, first + 4))
        },
      }
      const heights: number[] = []
      const outcome = await advanceChain(sql, failing, {
        onProgress: (cursor) => heights.push(cursor.height - from),
      }).then(
        () => 'done',
        (error: Error) => error.message,
      )
      return { outcome, heights }
    }

    test('writes a hundred sparse blocks in one transaction', async () => {
      expect(await commits(150, 0)).toEqual({ outcome: 'done', heights: [100, 150] })
    })

    test('writes dense blocks as they come', async () => {
      expect(await commits(60, 110)).toEqual({ outcome: 'done', heights: [20, 40, 60] })
    })

    test('writes what came before an answer that failed', async () => {
      expect(await commits(150, 0, 45)).toEqual({ outcome: 'node died', heights: [45] })
    })
  })

  test('credits without details after a limited time', async () => {
    const { sql, model, adapter, to } = await setup()
    const { txid } = model.pay(to(1_000n))
    model.mine()
    Object.assign(adapter, { describe: () => Promise.reject(new Error('no such transaction')) })
    await advanceChain(sql, adapter, { tolerant: true })
    expect(await deposit(txid)).toMatchObject({ status: 'unconfirmed', sources: [], fee: null })
  })

  test('applies each block once with two watchers at the same time', async () => {
    const { sql, model, adapter, to } = await setup()
    for (let block = 0; block < 60; block++) {
      model.pay(to(1_000n))
      model.mine()
    }
    await Promise.all([1, 2, 3].map(() => advanceChain(sql, adapter)))
    await settle(sql)
    expect(await sql`SELECT 1 FROM chain_blocks`).toHaveLength(60)
    expect(await ledger(sql, 'available', 'alice')).toBe(58_000n)
    expect(await sql`SELECT 1 FROM events WHERE data ->> 'status' = 'detected'`).toHaveLength(60)
  })

  test('misses nothing for an address that was issued before the first start', async () => {
    const { sql } = database
    const merchant = await merchantWith(sql)
    const alice = await merchant.address('bitcoin', 'alice')
    const model = new ChainModel(bitcoin)
    model.pay({ payee: alice.payee, coin: 'btc', amount: 5n })
    for (let block = 0; block < 10; block++) model.mine()
    await scan(sql, model.adapter())
    await settle(sql)
    expect(await ledger(sql, 'available', 'alice')).toBe(5n)
  })

  test('begins a few blocks below the tip without addresses, or where the configuration says', async () => {
    const { sql } = database
    const model = new ChainModel(bitcoin)
    for (let block = 0; block < 10; block++) model.mine()
    await advanceChain(sql, model.adapter())
    expect(await sql`SELECT min(height) AS first, max(height) AS last FROM chain_blocks`).toEqual([
      { first: 5n, last: 10n },
    ])
    const configured = new ChainModel({ ...bitcoin, name: 'litecoin', startHeight: 4 })
    for (let block = 0; block < 10; block++) configured.mine()
    await advanceChain(sql, configured.adapter())
    expect(await sql`SELECT 1 FROM chain_blocks WHERE network = 'litecoin'`).toHaveLength(7)
  })

  test('waits for a node that still synchronises, and then begins near the tip', async () => {
    const { sql } = database
    const main = { ...bitcoin, derivation: { purpose: 84, coinType: 0 } } as typeof bitcoin
    const model = new ChainModel(main)
    const old = Math.floor(Date.now() / 1000) - 3 * 86_400
    model.blocks = []
    for (let block = 0; block < 10; block++) model.mine([], old)
    model.missing = 900_000
    await expect(advanceChain(sql, model.adapter())).rejects.toThrow(
      /still synchronising, 900000 blocks are missing/,
    )
    // It knows of no newer header yet, and its newest block is days old.
    model.missing = null
    await expect(advanceChain(sql, model.adapter())).rejects.toThrow(/is 72 hours old/)
    expect(await readCursor(sql, 'bitcoin')).toBeNull()
    for (let block = 0; block < 40; block++) model.mine()
    await advanceChain(sql, model.adapter())
    expect(await sql`SELECT min(height) AS first, max(height) AS last FROM chain_blocks`).toEqual([
      { first: 44n, last: 49n },
    ])

    const waiting = new ChainModel({ ...bitcoin, name: 'litecoin', startHeight: 100 })
    await expect(advanceChain(sql, waiting.adapter())).rejects.toThrow(
      /at block 0, below block 100 \(start_height\)/,
    )
  })

  test('scans with a node that is no archive, also for addresses older than its first contact', async () => {
    const { sql } = database
    const merchant = await merchantWith(sql)
    const alice = await merchant.address('bitcoin', 'alice')
    const model = new ChainModel(bitcoin)
    const old = Math.floor(Date.now() / 1000) - 30 * 86_400
    model.blocks = []
    for (let block = 0; block < 60; block++) model.mine([], old + block)
    model.servedFrom = 50
    model.pay({ payee: alice.payee, coin: 'btc', amount: 5n })
    for (let block = 0; block < 10; block++) model.mine()
    await scan(sql, model.adapter())
    await settle(sql)
    expect(await ledger(sql, 'available', 'alice')).toBe(5n)
  })
})

test('does not parse a mempool twice', async () => {
  const { sql, model, adapter, to } = await setup()
  model.pay(to(1n))
  const seen = await lookAtMempool(sql, adapter, new Set())
  const described = model.calls.describe
  await lookAtMempool(sql, adapter, seen)
  expect(model.calls.describe).toBe(described)
})
