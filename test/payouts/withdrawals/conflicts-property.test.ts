/**
 * Gives up a payout only when it can never be mined, under any strangers, blocks, forks and forgetful nodes.
 */

import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findRow } from '../../../db/payouts/payout-row.js'
import type { ChainModel, ModelTransaction } from '../../stage/chain-model.js'
import {
  type Coin,
  isValid,
  type MemoryRail,
  nameOf,
  openMemoryRail,
  PAID,
  type TestAttempt,
} from '../../stage/memory-rail.js'

const GROWN = 3
let rail: MemoryRail
beforeAll(async () => {
  rail = await openMemoryRail()
})
afterAll(() => rail?.stage.close())

type Act =
  | { readonly kind: 'mine_attempt'; readonly pick: number }
  | { readonly kind: 'steal'; readonly pick: number }
  | { readonly kind: 'double_spend_source' }
  | { readonly kind: 'reorg'; readonly depth: number; readonly fate: readonly number[] }
  | { readonly kind: 'grow'; readonly blocks: number }
  | { readonly kind: 'step' }
  | { readonly kind: 'node'; readonly forgets: boolean; readonly refuses: boolean }

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('mine_attempt' as const), pick: fc.nat({ max: 2 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('steal' as const), pick: fc.nat({ max: 3 }) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'double_spend_source' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('reorg' as const),
      depth: fc.integer({ min: 1, max: 6 }),
      fate: fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('grow' as const), blocks: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 6, arbitrary: fc.constant({ kind: 'step' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('node' as const),
      forgets: fc.boolean(),
      refuses: fc.boolean(),
    }),
  },
)

test('confirms, keeps or ends a payout correctly after any sequence of thefts, forks and failures', async () => {
  const ends = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 4, maxLength: 20 }), async (acts) => {
      const end = await play(acts)
      ends.set(end, (ends.get(end) ?? 0) + 1)
    }),
    { numRuns: Number(process.env.KEYTURN_PROPERTY_RUNS ?? 60), endOnFailure: false },
  )
  // The sequences reach every end.
  expect([...ends.keys()].sort()).toEqual(['confirmed', 'confirming', 'failed'])
}, 600_000)

async function play(acts: readonly Act[]): Promise<string> {
  const { model, node } = rail
  node.forgets = false
  node.refuses = false
  model.mempool.clear()
  // These blocks keep a fork from reaching what the play before left.
  for (let block = 0; block < 8; block++) model.mine([])
  const held = await rail.held()
  const source = `${randomBytes(32).toString('hex')}:7`
  const funding = rail.fund([PAID + 5_000n], [source])
  const extra = rail.fund([20_000n, 30_000n])
  model.mine([funding.transaction, extra.transaction])
  await rail.scan()
  const floor = model.height - 1
  const coins = [...funding.coins, ...extra.coins] as [Coin, Coin, Coin]
  const id = await rail.withdrawal()
  const attempts = [
    await rail.attempt(id, [coins[0]], 1_000n),
    await rail.attempt(id, [coins[0], coins[1]], 3_000n),
    await rail.attempt(id, [coins[0], coins[1], coins[2]], 6_000n),
  ]
  for (const each of acts) await perform(each, { id, coins, attempts, source, floor })
  node.forgets = false
  node.refuses = true
  for (let block = 0; block < GROWN + 5; block++) model.mine([])
  for (let look = 0; look < 3; look++) await rail.step(id)
  const { stage } = await findRow(rail.sql, id)
  const mined = attempts.filter(({ transaction }) => isMined(model, transaction.txid))
  const dead = attempts.every(({ transaction }) => isDead(model, transaction))
  expect(stage).toBe(mined.length > 0 ? 'confirmed' : dead ? 'failed' : 'confirming')
  if (stage === 'confirming') expect(await rail.held()).toBeGreaterThan(held)
  else {
    expect(await rail.held()).toBe(held)
    // An output that is on the chain and unspent is free again.
    for (const coin of coins) expect(await rail.isFree(coin), nameOf(coin)).toBe(isUnspent(model, coin))
  }
  // The next play begins with no hold.
  if (stage === 'confirming') await giveUp(coins, id)
  return stage
}

interface Scene {
  readonly id: string
  readonly coins: readonly Coin[]
  readonly attempts: readonly TestAttempt[]
  readonly source: string
  /** Height below which nothing is orphaned. */
  readonly floor: number
}

async function perform(each: Act, { id, coins, attempts, source, floor }: Scene): Promise<void> {
  const { model, node } = rail
  const mineIfValid = (transaction: ModelTransaction | undefined) => {
    if (transaction && isValid(model, transaction)) model.mine([transaction])
  }
  switch (each.kind) {
    case 'mine_attempt':
      return mineIfValid(attempts[each.pick]?.transaction)
    case 'steal': {
      const coin = coins[each.pick % coins.length]
      return coin && mineIfValid(rail.steal([coin]))
    }
    case 'double_spend_source':
      return mineIfValid(model.transaction([], [source]))
    case 'reorg': {
      const depth = Math.min(each.depth, model.height - floor)
      if (depth < 1) return
      const lost = model.orphan(depth)
      for (const [position, transaction] of lost.entries()) {
        const fate = each.fate[position % each.fate.length]
        if (fate === 0) mineIfValid(transaction)
        if (fate === 1 && isValid(model, transaction)) model.send(transaction)
      }
      while (model.height < floor + depth + 1) model.mine([])
      return
    }
    case 'grow':
      for (let block = 0; block < each.blocks; block++) model.mine([])
      return
    case 'node':
      Object.assign(node, { forgets: each.forgets, refuses: each.refuses })
      return
    case 'step': {
      const stage = await rail.step(id)
      const deep = model.blocks.slice(0, -1).flatMap((block) => block.transactions)
      if (stage === 'failed') {
        // At this depth only a fork that brings the payout back to life undoes what excludes it.
        for (const { transaction } of attempts) {
          expect(deep.some((mined) => mined.txid === transaction.txid)).toBe(false)
        }
      }
      return
    }
  }
}

function isMined(model: ChainModel, txid: string): boolean {
  return model.blocks.some((block) => block.transactions.some((each) => each.txid === txid))
}

/** Whether another transaction on the chain spends what it needs, or needs what it needs. */
function isDead(model: ChainModel, transaction: ModelTransaction): boolean {
  if (isMined(model, transaction.txid)) return false
  const spent = new Set(model.blocks.flatMap((block) => block.transactions.flatMap((each) => each.inputs)))
  return transaction.inputs.some((input) => {
    if (spent.has(input)) return true
    const parent = model.known.get(input.split(':')[0] ?? '')
    return parent !== undefined && isDead(model, parent)
  })
}

function isUnspent(model: ChainModel, coin: Coin): boolean {
  const transactions = model.blocks.flatMap((block) => block.transactions)
  return isMined(model, coin.txid) && !transactions.some((each) => each.inputs.includes(nameOf(coin)))
}

/** Ends what still waits, by a stranger’s transaction. */
async function giveUp([coin]: readonly Coin[], id: string): Promise<void> {
  const { model } = rail
  if (coin) {
    const funding = model.known.get(coin.txid)
    if (funding && !isMined(model, coin.txid)) model.mine([funding])
    model.mine([rail.steal([coin])])
  }
  for (let block = 0; block < 8; block++) model.mine([])
  expect(await rail.step(id)).toBe('failed')
}
