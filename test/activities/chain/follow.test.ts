/** Follows a chain: one watcher writes at a time, and slow blocks count as progress. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { follow } from '../../../activities/chain/follow.js'
import type { ChainAdapter } from '../../../chains/adapter.js'
import type { WorkflowGate } from '../../../temporal/workflow-gate.js'
import { ChainModel } from '../../stage/chain-model.js'
import { bitcoin, merchantWith, scan } from '../../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

let database: TestDatabase
beforeEach(async () => {
  database = await freshDatabase()
})
afterEach(() => database.drop())

const quiet = { info() {}, warn() {}, error() {} }
const gate: WorkflowGate = {
  startDeposit: async () => true,
  startWithdrawal: async () => true,
  startChainWatcher: async () => {},
  wakePayment: async () => {},
  signal: async () => true,
}
const network = { ...bitcoin, pollIntervalMs: 10 }

function watch(adapter: ChainAdapter, forMs: number): Promise<void> {
  const signal = new AbortController().signal
  const until = Date.now() + forMs
  return follow({ sql: database.sql, adapter, gate, log: quiet, signal, until, forward: async () => 0 })
}

test('stops a watcher that hung from writing once another one has begun', async () => {
  const { sql } = database
  const model = new ChainModel(network)
  await scan(sql, model.adapter())
  const alice = await (await merchantWith(sql)).address('bitcoin', 'alice')
  const first = model.pay({ payee: alice.payee, coin: 'btc', amount: 5n })

  // It has polled the mempool, and hangs before it writes the result.
  let looked = () => {}
  const hasLooked = new Promise<void>((resolve) => {
    looked = resolve
  })
  let goOn = () => {}
  const released = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const adapter = model.adapter()
  const hanging = {
    ...adapter,
    mempool: async (seen: ReadonlySet<string>) => {
      const look = await adapter.mempool(seen)
      looked()
      await released
      return look
    },
  } as ChainAdapter
  const hung = watch(hanging, 3_600_000)
  await hasLooked

  // Its successor sees the transfer, and the double spend that is mined in its place.
  await watch(model.adapter(), 200)
  model.mine([model.transaction([{ payee: '00'.repeat(20), coin: 'btc', amount: 1n }], first.inputs)])
  await watch(model.adapter(), 200)
  const status = async () => {
    const [row] = await sql`SELECT status FROM deposits WHERE txid = ${first.txid}`
    return row?.status
  }
  expect(await status()).toBe('replaced')
  goOn()
  expect(await Promise.race([hung.then(() => 'ended'), sleep(5_000, 'still running')])).toBe('ended')
  expect(await status()).toBe('replaced')
})

test('counts waiting for a slow block as a step', async () => {
  const model = new ChainModel(network)
  await scan(database.sql, model.adapter())
  model.mine([])
  const adapter = model.adapter()
  const slow = {
    ...adapter,
    blocks: async (from: number, to: number) => {
      await sleep(2_600)
      return adapter.blocks(from, to)
    },
  } as ChainAdapter
  let waited = 0
  await advanceChain(database.sql, slow, { onWaiting: () => waited++ })
  expect(waited).toBeGreaterThanOrEqual(2)
})
