/** Counts transfers below the minimum instead of recording them, against spam. */

import { afterEach, beforeEach, expect, test } from 'vitest'
import { pruneBlocks } from '../../../db/chain/prune-blocks.js'
import { readGauges } from '../../../db/operations/read-gauges.js'
import type { Network } from '../../../domain/chain/network.js'
import { ChainModel } from '../../stage/chain-model.js'
import { bitcoin, ethereum, ledger, merchantWith, scan, settle } from '../../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

let database: TestDatabase
beforeEach(async () => {
  database = await freshDatabase()
})
afterEach(() => database.drop())

/** The network takes nothing below 1,000 base units for a deposit. */
const withFloor = (network: Network, minimum = 1_000n): Network => ({
  ...network,
  coins: network.coins.map((coin) => ({ ...coin, minimum })),
})

test.each([bitcoin, ethereum])(
  'counts a transfer below the minimum on $name, and makes no deposit, event or output',
  async (network) => {
    const { sql } = database
    const model = new ChainModel(withFloor(network))
    const adapter = model.adapter()
    await scan(sql, adapter)
    const alice = await (await merchantWith(sql)).address(network.name, 'alice')
    const coin = network.coins[0]?.name ?? ''
    const to = (amount: bigint) => ({ payee: alice.payee, coin, amount })
    for (let spam = 0; spam < 20; spam++) model.pay(to(999n))
    model.pay(to(1_000n))
    await scan(sql, adapter)
    expect(await sql`SELECT amount FROM deposits`).toEqual([{ amount: 1_000n }])
    model.mine()
    for (let block = 0; block < 4; block++) model.mine()
    await scan(sql, adapter)
    await settle(sql)
    expect(await sql`SELECT amount, status FROM deposits`).toEqual([{ amount: 1_000n, status: 'success' }])
    expect(await sql`SELECT DISTINCT subject FROM events`).toHaveLength(1)
    expect(await sql`SELECT 1 FROM utxos`).toHaveLength(network.family === 'utxo' ? 1 : 0)
    expect(await ledger(sql, 'chain', alice.id, coin)).toBe(1_000n)
    const counted = async () => (await readGauges(sql)).smallTransfers
    expect(await counted()).toEqual([{ network: network.name, coin, transfers: 20 }])

    // A transfer that leaves the chain is no longer counted; deep ones are counted together.
    model.orphan(5)
    model.mine([model.transaction([to(5n), to(7n)])])
    for (let block = 0; block < 6; block++) model.mine([])
    await scan(sql, adapter)
    expect(await counted()).toEqual([{ network: network.name, coin, transfers: 2 }])
    const rules = { newest: 2, youngerThan: -60, oneIn: 1, atMost: 100 }
    await pruneBlocks(sql, network.name, undefined, rules)
    expect(await counted()).toEqual([{ network: network.name, coin, transfers: 2 }])
    expect(await sql`SELECT amount FROM small_transfers`).toEqual([{ amount: 12n }])
  },
)

test('continues a deposit that was under way before the minimum was raised', async () => {
  const { sql } = database
  const model = new ChainModel(bitcoin)
  await scan(sql, model.adapter())
  const alice = await (await merchantWith(sql)).address('bitcoin', 'alice')
  model.pay({ payee: alice.payee, coin: 'btc', amount: 500n })
  await scan(sql, model.adapter())
  const adapter = Object.assign(model.adapter(), { network: withFloor(bitcoin) })
  for (let block = 0; block < 3; block++) model.mine()
  await scan(sql, adapter)
  await settle(sql)
  expect(await ledger(sql, 'available', 'alice')).toBe(500n)
  expect(await sql`SELECT 1 FROM utxos`).toHaveLength(1)
  expect(await sql`SELECT 1 FROM small_transfers`).toHaveLength(0)
})

test("records the merchant's own change of any amount", async () => {
  const { sql } = database
  const model = new ChainModel(withFloor(bitcoin))
  await scan(sql, model.adapter())
  const merchant = await merchantWith(sql)
  const change = await merchant.address('bitcoin', null, 'change')
  const payment = model.transaction([{ payee: change.payee, coin: 'btc', amount: 600n }])
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, coin, amount, max_fee, state, payload, txid)
    VALUES ('tx_1', ${merchant.id}, 'withdrawal', 'wd_1', 1, 'bitcoin', 'btc', 1, 1, 'broadcast', '{}', ${payment.txid})`
  model.mine([payment])
  await scan(sql, model.adapter())
  expect(await sql`SELECT amount FROM utxos`).toEqual([{ amount: 600n }])
})
