/** Compares the books with the canonical chain after random reorgs. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { findOvertaken } from '../../../activities/chain/find-overtaken.js'
import type { ChainAdapter, EvmAdapter } from '../../../chains/adapter.js'
import { postJournal } from '../../../db/books/ledger/post-journal.js'
import type { Sql } from '../../../db/connect.js'
import { findCoin, type Network, requiredConfirmations } from '../../../domain/chain/network.js'
import { canDepositMove, type DepositStatus } from '../../../domain/deposits/deposit-status.js'
import { parseAmount } from '../../../domain/money.js'
import { ChainModel, type ModelOutput, type ModelTransaction } from '../../stage/chain-model.js'
import {
  bitcoin,
  ethereum,
  ledger,
  merchantWith,
  scan,
  settle,
  type TestAddress,
  type TestMerchant,
} from '../../stage/deposit-steps.js'
import { freshDatabase } from '../../support/database.js'

type Act =
  | { readonly kind: 'pay'; readonly outputs: readonly (readonly [to: number, amount: number])[] }
  | { readonly kind: 'double_spend'; readonly pick: number; readonly to: number }
  | { readonly kind: 'forget' }
  | { readonly kind: 'mine'; readonly share: number; readonly altered: boolean }
  | {
      readonly kind: 'reorg'
      readonly depth: number
      readonly fate: readonly number[]
      readonly longer: number
    }
  | { readonly kind: 'spend'; readonly user: number; readonly amount: number }
  | { readonly kind: 'fail'; readonly calls: number }
  | { readonly kind: 'lag'; readonly below: number; readonly every: number }
  | { readonly kind: 'scan' }
  | { readonly kind: 'settle' }
  | { readonly kind: 'grow'; readonly blocks: number }
  | { readonly kind: 'race' }

const user = fc.nat({ max: 3 })
// Beyond 10 btc six blocks are needed instead of three.
const amount = fc.oneof(fc.integer({ min: 1, max: 9_000 }), fc.constant(1_000_000_000))
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pay' as const),
      outputs: fc.array(fc.tuple(fc.nat({ max: 4 }), amount), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('double_spend' as const), pick: fc.nat(), to: user }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'forget' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('mine' as const),
      share: fc.integer({ min: 0, max: 3 }),
      altered: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('reorg' as const),
      depth: fc.integer({ min: 1, max: 9 }),
      fate: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 5 }),
      longer: fc.integer({ min: -1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('spend' as const), user, amount }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('fail' as const), calls: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('lag' as const),
      below: fc.integer({ min: 1, max: 12 }),
      every: fc.integer({ min: 1, max: 3 }),
    }),
  },
  // The way that most deposits go: into a block, deep enough, credited.
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('grow' as const), blocks: fc.integer({ min: 1, max: 7 }) }),
  },
  { weight: 5, arbitrary: fc.constant({ kind: 'scan' as const }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'settle' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'race' as const }) },
)

// On EVM networks a transaction may pay other things than its mempool or its former block showed.
test.each([bitcoin, ethereum])(
  'keeps the books of $name equal to the canonical chain after any transfers, blocks, reorgs, failures and races',
  async (network) => {
    let runs = 0
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 8, maxLength: 40 }), async (acts) => {
        runs += 1
        const database = await freshDatabase()
        try {
          await play(database.sql, network, acts)
        } finally {
          await database.drop()
        }
      }),
      { numRuns: Number(process.env.KEYTURN_PROPERTY_RUNS ?? 40), endOnFailure: false },
    )
    expect(runs).toBeGreaterThan(0)
  },
  600_000,
)

async function play(sql: Sql, network: Network, acts: readonly Act[]): Promise<void> {
  const model = new ChainModel(network)
  const adapter = model.adapter()
  await scan(sql, adapter)
  const merchant = await merchantWith(sql)
  const addresses = await Promise.all(
    [0, 1, 2, 3].map((each) => merchant.address(network.name, each === 3 ? null : `user-${each}`)),
  )
  const spent = new Map<string, bigint>()
  for (const [index, each] of acts.entries()) {
    await perform(sql, model, adapter, merchant, addresses, spent, each, index)
  }
  // The node recovers, and its chain outgrows everything that was seen.
  model.failures = 0
  for (let block = 0; block < 4; block++) model.mine([])
  await scan(sql, adapter)
  await settle(sql)
  if (network.family === 'evm') {
    for (let look = 0; look < 3; look++) await findOvertaken(sql, adapter as EvmAdapter)
  }
  await compare(sql, model, addresses, spent)
}

async function perform(
  sql: Sql,
  model: ChainModel,
  adapter: ChainAdapter,
  merchant: TestMerchant,
  addresses: readonly TestAddress[],
  spent: Map<string, bigint>,
  each: Act,
  index: number,
): Promise<void> {
  const { network } = model
  const output = (to: number, value: number): ModelOutput => ({
    payee: addresses[to]?.payee ?? 'ff'.repeat(20),
    coin: network.coins[value % network.coins.length]?.name ?? '',
    amount: BigInt(value),
  })
  const altered = (transaction: ModelTransaction, position: number): ModelTransaction => {
    if (network.family !== 'evm') return transaction
    const outputs = [...transaction.outputs]
    // Nothing in its place, another amount or coin, or another payee.
    if (position % 3 === 0) outputs.pop()
    else if (outputs[0])
      outputs[0] = position % 3 === 1 ? { ...outputs[0], amount: 21n } : output(position % 4, 44)
    return model.altered(transaction, outputs)
  }
  switch (each.kind) {
    case 'pay':
      model.pay(...each.outputs.map(([to, value]) => output(to, value)))
      return
    case 'double_spend': {
      const waiting = [...model.mempool.values()]
      const victim = waiting[each.pick % Math.max(1, waiting.length)]
      if (victim) model.send(model.transaction([output(each.to, 77)], victim.inputs))
      return
    }
    case 'forget':
      model.mempool.delete([...model.mempool.keys()][0] ?? '')
      return
    case 'mine': {
      const waiting = [...model.mempool.values()]
      const mined = waiting.slice(0, Math.ceil((waiting.length * each.share) / 3))
      model.mine(each.altered ? mined.map((one, position) => altered(one, position + index)) : mined)
      return
    }
    case 'reorg': {
      const depth = Math.min(each.depth, model.height)
      const lost = model.orphan(depth)
      const again = []
      for (const [position, transaction] of lost.entries()) {
        const fate = each.fate[position % each.fate.length]
        if (fate === 0) again.push(transaction)
        else if (fate === 1) model.send(transaction)
        else if (fate === 2) again.push(model.transaction([output(position % 4, 33)], transaction.inputs))
        else if (fate === 4) again.push(altered(transaction, position + index))
        else if (fate === 5) model.send(altered(transaction, position + index))
        // Else it is gone for good.
      }
      // Sometimes the new branch is shorter for now: the node may say so before it is longer.
      const blocks = Math.max(0, depth + each.longer)
      for (let block = 0; block < blocks; block++) {
        const share = block === blocks - 1 ? again.length : Math.min(again.length, block % 3)
        model.mine(again.splice(0, share))
      }
      for (const transaction of again) model.send(transaction)
      return
    }
    case 'spend': {
      const owner = addresses[each.user]?.user ?? ''
      const asset = { network: network.name, coin: network.coins[0]?.name ?? '' }
      const value = BigInt(each.amount)
      if ((await ledger(sql, 'available', owner, asset.coin)) < value) return
      await sql.begin((tx) =>
        postJournal(tx, {
          merchantId: merchant.id,
          idempotencyKey: `spend-${index}`,
          type: 'withdrawal.settled',
          reference: `withdrawal-${index}`,
          entries: [
            { ...asset, kind: 'available', owner, amount: value },
            { ...asset, kind: 'network_fee', owner: '', amount: -value },
          ],
        }),
      )
      spent.set(owner, (spent.get(owner) ?? 0n) + value)
      return
    }
    case 'fail':
      model.failures = each.calls
      return
    case 'lag':
      await scanBesideALaggard(sql, model, adapter, each)
      return
    case 'scan':
      await scan(sql, adapter).catch(onlyTheNode)
      return
    case 'settle':
      await settle(sql)
      return
    case 'grow':
      for (let block = 0; block < each.blocks; block++) model.mine()
      await scan(sql, adapter).catch(onlyTheNode)
      await settle(sql)
      return
    case 'race':
      // Two watchers and the workflows at the same time.
      await Promise.all([
        advanceChain(sql, adapter).catch(onlyTheNode),
        settle(sql),
        advanceChain(sql, adapter).catch(onlyTheNode),
        settle(sql),
      ])
      return
  }
}

/** A node that is behind answers some of the questions. It must not make a block of the chain be reverted. */
async function scanBesideALaggard(
  sql: Sql,
  model: ChainModel,
  adapter: ChainAdapter,
  { below, every }: { readonly below: number; readonly every: number },
): Promise<void> {
  const canonical = new Set(model.blocks.map((block) => block.hash))
  const standing = async () => {
    const rows = await sql<{ hash: string }[]>`SELECT hash FROM chain_blocks`
    return rows.map((row) => row.hash).filter((hash) => canonical.has(hash))
  }
  const before = await standing()
  model.lagging = { tip: model.height - below, answers: (question) => question % every === 0 }
  await scan(sql, adapter).catch(onlyTheNode)
  model.lagging = null
  expect(await standing()).toEqual(expect.arrayContaining(before))
}

/** Failures that the loop of the watcher shows and tries again; anything else is a defect. */
function onlyTheNode(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error)
  if (!/does not answer|disagree|is below height|gave no block/.test(text)) throw error
}

async function compare(
  sql: Sql,
  model: ChainModel,
  addresses: readonly TestAddress[],
  spent: ReadonlyMap<string, bigint>,
): Promise<void> {
  const scanned = await sql<{ hash: string }[]>`SELECT hash FROM chain_blocks ORDER BY height`
  const canonical = model.blocks.slice(model.blocks.length - scanned.length)
  expect(scanned.map((row) => row.hash)).toEqual(canonical.map((block) => block.hash))

  const { network } = model
  const expected = new Map<string, string>()
  const credited = new Map<string, bigint>()
  const onChain = new Map<string, bigint>()
  const unspent: string[] = []
  for (const block of model.blocks) {
    for (const transaction of block.transactions) {
      for (const [index, output] of transaction.outputs.entries()) {
        const address = addresses.find((each) => each.payee === output.payee)
        if (!address) continue
        const required = requiredConfirmations(network, output.coin, output.amount)
        const deep = model.height - block.height + 1 >= required
        const what = `${output.amount} ${output.coin} for ${address.id}`
        expected.set(`${transaction.txid}:${index}`, `${deep ? 'success' : 'unconfirmed'} ${what}`)
        unspent.push(`${transaction.txid}:${index}`)
        if (!deep) continue
        add(credited, `${address.user ?? ''} ${output.coin}`, output.amount)
        add(onChain, `${address.id} ${output.coin}`, output.amount)
      }
    }
  }

  const deposits = await sql<
    { id: string; key: string; txid: string; status: DepositStatus; what: string }[]
  >`
    SELECT id, txid || ':' || output_index AS key, txid, status, amount || ' ' || coin || ' for ' || address_id AS what
    FROM deposits`
  const mined = deposits.filter((row) => row.status === 'success' || row.status === 'unconfirmed')
  expect(mined.map((row) => [row.key, `${row.status} ${row.what}`]).sort()).toEqual([...expected].sort())
  const canonicalTxids = new Set(model.blocks.flatMap((block) => block.transactions.map((each) => each.txid)))
  const taken = new Set(model.blocks.flatMap((block) => block.transactions.flatMap((each) => each.inputs)))
  const pending = new Set(
    [...model.mempool.values()].flatMap(({ txid, outputs }) =>
      outputs.map((each, index) => {
        const address = addresses.find((one) => one.payee === each.payee)
        return `${txid}:${index} ${each.amount} ${each.coin} for ${address?.id}`
      }),
    ),
  )
  for (const row of deposits) {
    if (mined.includes(row)) continue
    const lost = model.known.get(row.txid)?.inputs.some((input) => taken.has(input)) ?? false
    const without = canonicalTxids.has(row.txid)
    const waiting = pending.has(`${row.key} ${row.what}`)
    // Blocks of EVM networks do not name conflicts: a deposit that was reverted stays so when its nonce is
    // used by another.
    const ends = without || network.family === 'utxo' ? ['replaced'] : ['replaced', 'reverted']
    expect(lost ? ends : waiting ? ['detected'] : ['detected', 'reverted', 'replaced']).toContain(row.status)
  }

  const native = network.coins[0]?.name
  for (const { id, user } of addresses) {
    const owner = user ?? ''
    for (const { name } of network.coins) {
      const used = name === native ? (spent.get(owner) ?? 0n) : 0n
      expect(await ledger(sql, 'chain', id, name)).toBe(onChain.get(`${id} ${name}`) ?? 0n)
      expect(await ledger(sql, 'available', owner, name)).toBe(
        (credited.get(`${owner} ${name}`) ?? 0n) - used,
      )
      expect(await ledger(sql, 'reserved', owner, name)).toBe(0n)
    }
  }
  if (network.family === 'utxo') {
    const outputs = await sql<{ key: string }[]>`
      SELECT txid || ':' || vout AS key FROM utxos WHERE block_number IS NOT NULL`
    expect(outputs.map((row) => row.key).sort()).toEqual(unspent.sort())
  }

  // The events of merchants add up to the same, step by step.
  const events = await sql<{ subject: string; type: string; data: Record<string, unknown> }[]>`
    SELECT subject, type, data FROM events WHERE type IN ('deposit.status_changed', 'balance.updated') ORDER BY position`
  const last = new Map<string, DepositStatus>()
  const moved = new Map<string, bigint>()
  for (const event of events) {
    if (event.type === 'deposit.status_changed') {
      const { status, previous_status: previous } = event.data as {
        status: DepositStatus
        previous_status: DepositStatus | null
      }
      expect(previous).toBe(last.get(event.subject) ?? null)
      if (previous) expect(canDepositMove(previous, status)).toBe(true)
      else expect(status).toBe('detected')
      last.set(event.subject, status)
    } else {
      const { address_id, coin, funds } = event.data as {
        address_id: string
        coin: string
        funds: { type: string; delta: string }[]
      }
      const delta = funds.find((fund) => fund.type === 'BLOCKCHAIN')?.delta ?? '0'
      const sign = delta.startsWith('-') ? -1n : 1n
      const moves = sign * parseAmount(delta.replace('-', ''), findCoin(network, coin).decimals)
      add(moved, `${address_id} ${coin}`, moves)
    }
  }
  expect(Object.fromEntries(last)).toEqual(Object.fromEntries(deposits.map((row) => [row.id, row.status])))
  for (const key of [...moved.keys(), ...onChain.keys()]) {
    expect(moved.get(key) ?? 0n).toBe(onChain.get(key) ?? 0n)
  }
}

function add(sums: Map<string, bigint>, key: string, amount: bigint): void {
  sums.set(key, (sums.get(key) ?? 0n) + amount)
}
