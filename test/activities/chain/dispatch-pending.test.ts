/** Starts the workflows of deposits, past one that cannot be started. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { dispatchPending } from '../../../activities/chain/dispatch-pending.js'
import { depositId } from '../../../temporal/ids.js'
import { ChainModel } from '../../stage/chain-model.js'
import { bitcoin, merchantWith, scan } from '../../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

const model = new ChainModel(bitcoin)
let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
  await scan(database.sql, model.adapter())
})
afterAll(() => database?.drop())

test('starts and signals every other deposit, puts one that cannot be started off, and raises an alert', async () => {
  const { sql } = database
  const merchant = await merchantWith(sql)
  const { payee } = await merchant.address('bitcoin', 'alice')
  const early = Array.from({ length: 3 }, () => model.pay({ payee, coin: 'btc', amount: 40_000n }))
  model.mine()
  await advanceChain(sql, model.adapter())
  const started: string[] = []
  const signalled: string[] = []
  const refused = depositId('bitcoin', early[0]?.txid ?? '', 0)
  const gate = {
    startDeposit: async ({ txid, index }: { txid: string; index: number }) => {
      const id = depositId('bitcoin', txid, index)
      if (id === refused) throw new Error('This one is refused')
      started.push(id)
      return true
    },
    startWithdrawal: () => Promise.reject(new Error('No withdrawal starts here')),
    startChainWatcher: async () => {},
    wakePayment: async () => {},
    signal: async (id: string) => {
      signalled.push(id)
      return true
    },
  }
  expect(await dispatchPending(sql, bitcoin, gate)).toMatchObject({ started: 2 })
  const others = early.slice(1).map(({ txid }) => depositId('bitcoin', txid, 0))
  expect(started.sort()).toEqual([...others].sort())
  for (let block = 0; block < 3; block++) model.mine()
  await advanceChain(sql, model.adapter())
  await dispatchPending(sql, bitcoin, gate)
  expect(signalled.sort()).toEqual([...others].sort())
  const alerts = await sql<
    { kind: string; reason: string }[]
  >`SELECT kind, facts ->> 'reason' AS reason FROM alerts`
  expect([...alerts]).toEqual([{ kind: 'workflow.not_started', reason: 'This one is refused' }])
})
