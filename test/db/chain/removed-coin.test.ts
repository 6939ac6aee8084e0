/** Handles deposits of a token that the configuration no longer names. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { dispatchPending } from '../../../activities/chain/dispatch-pending.js'
import { viewBalances } from '../../../api/books/balances.js'
import { getBalances } from '../../../db/books/balances/get-balances.js'
import { rememberCoins } from '../../../db/chain/remember-coins.js'
import { confirmDeposit } from '../../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../../db/deposits/credit-deposit.js'
import { type DepositRow, selectDeposits } from '../../../db/deposits/deposit-row.js'
import { depositView } from '../../../db/deposits/deposit-view.js'
import { findCoin, type Network } from '../../../domain/chain/network.js'
import { ChainModel } from '../../stage/chain-model.js'
import { ethereum, merchantWith, scan } from '../../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

test('shows, starts, credits and reverts deposits of a token that was removed from the configuration', async () => {
  const { sql } = database
  const before = await rememberCoins(sql, new Map([[ethereum.name, ethereum]]))
  expect(before.get('ethereum')).toBe(ethereum)
  const model = new ChainModel(ethereum)
  await scan(sql, model.adapter())
  const merchant = await merchantWith(sql)
  const alice = await merchant.address('ethereum', 'alice')
  model.pay({ payee: alice.payee, coin: 'usdt', amount: 1_500_000n })
  model.mine()
  for (let block = 0; block < 4; block++) model.mine()
  model.pay({ payee: alice.payee, coin: 'usdt', amount: 2_500_000n })
  model.mine()
  await scan(sql, model.adapter())
  await confirmAndCredit(before)

  // The next start has a configuration without the token.
  const native = { ...ethereum, coins: ethereum.coins.slice(0, 1) }
  const after = await rememberCoins(sql, new Map([[ethereum.name, native]]))
  const network = after.get('ethereum') as Network
  expect(() => findCoin(network, 'usdt')).toThrow(/not enabled/)
  const started: string[] = []
  const gate = {
    startDeposit: async ({ title }: { title: string }) => started.push(title) > 0,
    startWithdrawal: async () => true,
    startChainWatcher: async () => {},
    wakePayment: async () => {},
    signal: async () => true,
  }
  await dispatchPending(sql, network, gate)
  expect(started).toContain('2.5 usdt for alice')
  const rows = await sql<DepositRow[]>`${selectDeposits(sql)} ORDER BY deposit.amount`
  expect(rows.map((row) => depositView(network, row, 9).amount)).toEqual(['1.5', '2.5'])
  const balances = viewBalances(await getBalances(sql, { merchantId: merchant.id }), after)
  expect(balances).toMatchObject([{ coin: 'usdt', available: '1.5', pending: '2.5' }])

  // What was under way is credited.
  const adapter = Object.assign(model.adapter(), { network })
  for (let block = 0; block < 4; block++) model.mine([])
  await advanceChain(sql, adapter)
  await confirmAndCredit(after)
  expect(await statuses()).toEqual(['success', 'success'])

  // And a reorg takes it back.
  model.orphan(model.height)
  for (let block = 0; block < 12; block++) model.mine([])
  await advanceChain(sql, adapter)
  expect(await statuses()).toEqual(['reverted', 'reverted'])

  async function statuses() {
    return (await sql`SELECT status FROM deposits ORDER BY amount`).map((row) => row.status)
  }
  async function confirmAndCredit(networks: ReadonlyMap<string, Network>) {
    for (const { id } of await sql<{ id: string }[]>`SELECT id FROM deposits WHERE status = 'unconfirmed'`) {
      const outcome = await confirmDeposit(sql, networks, id)
      if (outcome.kind === 'confirmed') await creditDeposit(sql, networks, id)
    }
  }
})
