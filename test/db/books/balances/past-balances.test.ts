/** Balances of the past and totals, compared with what was seen then and with plain sums of the same facts. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BalanceFilter, getBalances } from '../../../../db/books/balances/get-balances.js'
import { totalsByAddress, totalsByCoin, totalsByUser } from '../../../../db/books/balances/get-totals.js'
import { postJournal } from '../../../../db/books/ledger/post-journal.js'
import { reverseJournal } from '../../../../db/books/ledger/reverse-journal.js'
import { createTransfer } from '../../../../db/books/transfers/create-transfer.js'
import type { Sql } from '../../../../db/connect.js'
import { readCursor } from '../../../../db/networks/chain-cursor.js'
import { holdJournal, releaseJournal, settleJournal } from '../../../../db/payouts/withdrawal-journals.js'
import { findCoin } from '../../../../domain/chain/network.js'
import { KeyturnError } from '../../../../domain/errors.js'
import { ChainModel } from '../../../stage/chain-model.js'
import { bitcoin, merchantWith, scan, settle, type TestAddress } from '../../../stage/deposit-steps.js'
import { freshDatabase } from '../../../support/database.js'

const act = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('pay' as const),
      to: fc.nat(3),
      amount: fc.integer({ min: 600, max: 9_000 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('grow' as const), blocks: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('reorg' as const),
      depth: fc.integer({ min: 1, max: 6 }),
      keep: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('transfer' as const),
      from: fc.nat(3),
      to: fc.nat(3),
      amount: fc.integer({ min: 1, max: 4_000 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('hold' as const),
      user: fc.nat(3),
      amount: fc.integer({ min: 10, max: 3_000 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('end' as const), pick: fc.nat(), how: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const), pick: fc.nat() }) },
)
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never

/** A payout, as the test remembers it. Heights say at which block its steps count. */
interface Payout {
  readonly id: string
  readonly user: string | null
  readonly amount: bigint
  held: number
  readonly address: string
  end: { height: number; readonly released: boolean; readonly journal: bigint } | null
  reopened: number
}
interface Moved {
  height: number
  readonly from: string | null
  readonly to: string | null
  readonly amount: bigint
}

const FEE_LIMIT = 50n
const FEE = 20n

test('answers for the past what was so then, by block what stands, and totals that add up', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 10, maxLength: 40 }), async (acts) => {
      const database = await freshDatabase()
      try {
        await play(database.sql, acts)
      } finally {
        await database.drop()
      }
    }),
    { numRuns: Number(process.env.KEYTURN_PROPERTY_RUNS ?? 8), endOnFailure: true },
  )
}, 300_000)

test('counts a transfer from the block after the fork, when the block before it has left the chain', async () => {
  const database = await freshDatabase()
  try {
    const { sql } = database
    const model = new ChainModel(bitcoin)
    const adapter = model.adapter()
    const merchant = await merchantWith(sql)
    await sql`INSERT INTO merchant_rails VALUES (${merchant.id}, 'bitcoin', 'btc')`
    const own = await merchant.address('bitcoin', null)
    await scan(sql, adapter)
    model.pay({ payee: own.payee, coin: 'btc', amount: 9_000n })
    for (let block = 0; block < 10; block++) model.mine()
    await scan(sql, adapter)
    await settle(sql)
    await sql.begin((tx) =>
      createTransfer(tx, {
        merchantId: merchant.id,
        from: null,
        to: 'ann',
        network: bitcoin,
        coin: findCoin(bitcoin, 'btc'),
        amount: 5n,
        amountText: '5',
        externalId: null,
        reason: 'test',
        actor: 'api-key:test',
      }),
    )
    const available = async (asOfBlock: number) => {
      const scope = { merchantId: merchant.id, userReference: 'ann', network: 'bitcoin' }
      return (await getBalances(sql, { ...scope, asOfBlock }))[0]?.available
    }
    const head = model.height
    model.mine()
    await scan(sql, adapter)
    expect([await available(head), await available(head + 1)]).toEqual([0n, 5n])
    // Blocks from head - 3 on leave the chain, and the head is lower at first.
    model.orphan(5)
    model.mine([])
    await scan(sql, adapter)
    const fork = head - 4
    expect(await readCursor(sql, 'bitcoin')).toMatchObject({ height: fork + 1 })
    expect([await available(fork), await available(fork + 1)]).toEqual([0n, 5n])
    for (let block = 0; block < 8; block++) model.mine([])
    await scan(sql, adapter)
    expect([await available(fork), await available(fork + 1), await available(head)]).toEqual([0n, 5n, 5n])
  } finally {
    await database.drop()
  }
})

async function play(sql: Sql, acts: readonly Act[]): Promise<void> {
  const model = new ChainModel(bitcoin)
  const adapter = model.adapter()
  await scan(sql, adapter)
  const merchant = await merchantWith(sql)
  await sql`INSERT INTO merchant_rails VALUES (${merchant.id}, 'bitcoin', 'btc')`
  const addresses: TestAddress[] = []
  for (const index of [0, 1, 2, 3]) {
    addresses.push(await merchant.address('bitcoin', index === 3 ? null : `user-${index}`))
  }
  const userOf = (index: number) => addresses[index]?.user ?? null
  const payouts: Payout[] = []
  const moves: Moved[] = []
  const scopes: BalanceFilter[] = [
    { merchantId: merchant.id },
    { merchantId: merchant.id, ownAccount: true },
    ...[0, 1, 2].map((index) => ({ merchantId: merchant.id, userReference: `user-${index}` })),
    ...addresses.map(({ id }) => ({ merchantId: merchant.id, addressId: id })),
  ]
  const seen: { readonly at: Date; readonly balances: unknown[] }[] = []
  const height = async () => (await readCursor(sql, 'bitcoin'))?.height ?? 0

  for (const [index, each] of acts.entries()) {
    if (each.kind === 'pay') {
      model.pay({ payee: addresses[each.to]?.payee ?? '', coin: 'btc', amount: BigInt(each.amount) })
    } else if (each.kind === 'grow') {
      for (let block = 0; block < each.blocks; block++) model.mine()
    } else if (each.kind === 'reorg') {
      const depth = Math.min(each.depth, model.height)
      const lost = model.orphan(depth)
      if (each.keep) for (const transaction of lost) model.send(transaction)
      for (let block = 0; block <= depth; block++) model.mine([])
      // What was recorded without a block counts from the block after the last one that stayed.
      const after = model.height - depth
      for (const move of moves) move.height = Math.min(move.height, after)
      for (const payout of payouts) {
        payout.held = Math.min(payout.held, after)
        if (payout.end?.released) payout.end.height = Math.min(payout.end.height, after)
      }
      // The payouts whose block left the chain are settled in none.
      for (const payout of payouts) {
        if (payout.end && !payout.end.released && payout.end.height > model.height - depth - 1) {
          await reopen(sql, merchant.id, payout)
        }
      }
    } else if (each.kind === 'transfer') {
      const [from, to] = [userOf(each.from), userOf(each.to)]
      const amount = BigInt(each.amount)
      try {
        await sql.begin((tx) =>
          createTransfer(tx, {
            merchantId: merchant.id,
            from,
            to,
            network: bitcoin,
            coin: findCoin(bitcoin, 'btc'),
            amount,
            amountText: String(amount),
            externalId: null,
            reason: 'test',
            actor: 'api-key:test',
          }),
        )
        moves.push({ height: (await height()) + 1, from, to, amount })
      } catch (error) {
        if (!(error instanceof KeyturnError)) throw error
      }
    } else if (each.kind === 'hold') {
      const payout: Payout = {
        id: `withdrawal-${index}`,
        user: userOf(each.user),
        amount: BigInt(each.amount),
        held: (await height()) + 1,
        address: addresses[each.user]?.id ?? '',
        end: null,
        reopened: 0,
      }
      try {
        await postJournal(sql, holdJournal(termsOf(merchant.id, payout)))
        payouts.push(payout)
      } catch (error) {
        if (!(error instanceof KeyturnError)) throw error
      }
    } else if (each.kind === 'end') {
      const open = payouts.filter((payout) => payout.end === null)
      const payout = open[each.pick % Math.max(1, open.length)]
      if (payout) await end(sql, merchant.id, payout, each.how, await height())
    } else {
      const settled = payouts.filter((payout) => payout.end && !payout.end.released)
      const payout = settled[each.pick % Math.max(1, settled.length)]
      if (payout) await reopen(sql, merchant.id, payout)
    }
    if (each.kind !== 'pay' && each.kind !== 'transfer') {
      await scan(sql, adapter)
      await settle(sql)
    }
    // Further steps happen in another millisecond, so that the instant is between them.
    await new Promise((resolve) => setTimeout(resolve, 2))
    const at = new Date()
    await new Promise((resolve) => setTimeout(resolve, 2))
    seen.push({ at, balances: await Promise.all(scopes.map((scope) => getBalances(sql, scope))) })
  }

  for (const { at, balances } of seen) {
    const then = await Promise.all(scopes.map((scope) => getBalances(sql, { ...scope, asOf: at })))
    expect(then).toEqual(balances)
  }
  await compareBlocks(sql, scopes, addresses, payouts, moves, await height())
  await compareTotals(sql, merchant.id, addresses, payouts, moves)
}

const termsOf = (merchantId: string, payout: Payout) => ({
  id: payout.id,
  merchant_id: merchantId,
  network: 'bitcoin',
  coin: 'btc',
  amount: payout.amount,
  fee_coin: 'btc',
  fee_limit: FEE_LIMIT,
  fee_payer: 'sender' as const,
  user_reference: payout.user,
  kind: 'withdrawal' as const,
  reopened: payout.reopened,
})

/** Ends a payout: released, or settled in the last scanned block. The coins come from the payer's address. */
async function end(sql: Sql, merchantId: string, payout: Payout, how: number, height: number): Promise<void> {
  const terms = termsOf(merchantId, payout)
  if (how === 0) {
    const { journalId } = await postJournal(sql, {
      ...releaseJournal(terms),
      idempotencyKey: `${payout.id}:release:${payout.reopened}`,
    })
    payout.end = { height: height + 1, released: true, journal: journalId }
    return
  }
  const settled = settleJournal(
    terms,
    [{ addressId: payout.address, coin: 'btc', amount: payout.amount + FEE }],
    FEE,
  )
  const { journalId } = await postJournal(sql, { ...settled, height, fees: { btc: FEE } })
  payout.end = { height, released: false, journal: journalId }
}

/** Takes the end of a payout back, as a reorganisation does. */
async function reopen(sql: Sql, merchantId: string, payout: Payout): Promise<void> {
  const journal = payout.end?.journal
  if (journal === undefined) return
  await sql.begin((tx) =>
    reverseJournal(tx, {
      merchantId,
      journalId: journal,
      idempotencyKey: `${payout.id}:reverted:${payout.reopened}`,
      type: 'withdrawal.reopened',
      reference: payout.id,
    }),
  )
  payout.end = null
  payout.reopened += 1
}

interface Standing {
  readonly user_reference: string | null
  readonly address_id: string
  readonly amount: bigint
  readonly status: string
  readonly block_number: bigint | null
}

async function standingDeposits(sql: Sql): Promise<Standing[]> {
  return sql<Standing[]>`SELECT user_reference, address_id, amount, status, block_number FROM deposits`
}

async function compareBlocks(
  sql: Sql,
  scopes: readonly BalanceFilter[],
  addresses: readonly TestAddress[],
  payouts: readonly Payout[],
  moves: readonly Moved[],
  head: number,
): Promise<void> {
  const deposits = await standingDeposits(sql)
  for (let block = 0; block <= head; block++) {
    for (const scope of scopes) {
      const ours = (user: string | null) =>
        scope.userReference === undefined ? !scope.ownAccount || user === null : user === scope.userReference
      const at = (id: string) =>
        scope.addressId === undefined
          ? ours(addresses.find((address) => address.id === id)?.user ?? null)
          : id === scope.addressId
      const sum = { available: 0n, reserved: 0n, blockchain: 0n, pending: 0n }
      let screened = 0n
      for (const deposit of deposits) {
        if (deposit.block_number === null || deposit.block_number > block) continue
        const booked = ['confirmed', 'screening_requested', 'held', 'success'].includes(deposit.status)
        if (at(deposit.address_id)) {
          if (booked) sum.blockchain += deposit.amount
          if (booked && deposit.status !== 'success') screened += deposit.amount
          if (deposit.status === 'unconfirmed') sum.pending += deposit.amount
        }
        if (!ours(deposit.user_reference)) continue
        if (deposit.status === 'success') sum.available += deposit.amount
        else if (booked) sum.reserved += deposit.amount
      }
      for (const { height, from, to, amount } of moves) {
        if (height > block) continue
        if (ours(from)) sum.available -= amount
        if (ours(to)) sum.available += amount
      }
      for (const { user, amount, held, address, end } of payouts) {
        const ended = end !== null && end.height <= block
        if (ended && !end.released && at(address)) sum.blockchain -= amount + FEE
        if (!ours(user)) continue
        if (ended) {
          if (!end.released) sum.available -= amount + FEE
        } else if (held <= block) {
          sum.available -= amount + FEE_LIMIT
          sum.reserved += amount + FEE_LIMIT
        }
      }
      const expected =
        scope.addressId === undefined
          ? sum
          : { ...sum, available: sum.blockchain - screened, reserved: screened }
      const [got] = await getBalances(sql, { ...scope, network: 'bitcoin', asOfBlock: block })
      expect({ block, scope, got }).toEqual({
        block,
        scope,
        got: { network: 'bitcoin', coin: 'btc', ...expected },
      })
    }
  }
}

async function compareTotals(
  sql: Sql,
  merchantId: string,
  addresses: readonly TestAddress[],
  payouts: readonly Payout[],
  moves: readonly Moved[],
): Promise<void> {
  const booked = (await standingDeposits(sql)).filter((deposit) =>
    ['confirmed', 'screening_requested', 'held', 'success'].includes(deposit.status),
  )
  const settled = payouts.filter((payout) => payout.end && !payout.end.released)
  const sum = <T>(rows: readonly T[], pick: (row: T) => bigint) =>
    rows.reduce((total, row) => total + pick(row), 0n)
  const expected = (whose: (user: string | null) => boolean) => ({
    deposited: sum(
      booked.filter((deposit) => whose(deposit.user_reference)),
      (deposit) => deposit.amount,
    ),
    withdrawn: sum(
      settled.filter((payout) => whose(payout.user)),
      (payout) => payout.amount,
    ),
    fees: FEE * BigInt(settled.filter((payout) => whose(payout.user)).length),
    transferredIn: sum(
      moves.filter((move) => whose(move.to)),
      (move) => move.amount,
    ),
    transferredOut: sum(
      moves.filter((move) => whose(move.from)),
      (move) => move.amount,
    ),
  })
  const slice = { before: null, offset: 0, take: 100 }
  const users = await totalsByUser(sql, { merchantId }, slice)
  for (const row of users) {
    const user = row.owner === '' ? null : row.owner
    expect(row).toMatchObject(expected((each) => each === user))
    const [now] = await getBalances(sql, {
      merchantId,
      ...(user === null ? { ownAccount: true } : { userReference: user }),
    })
    expect(row.balance).toBe((now?.available ?? 0n) + (now?.reserved ?? 0n))
  }
  expect(new Set(users.map((row) => row.owner)).size).toBe(users.length)
  const [all] = await totalsByCoin(sql, { merchantId })
  if (all) expect(all).toMatchObject(expected(() => true))
  const held = await totalsByAddress(sql, { merchantId }, slice)
  for (const row of [...users, ...held, ...(all ? [all] : [])]) {
    expect(row.balance).toBe(
      row.deposited - row.withdrawn - row.fees + row.transferredIn - row.transferredOut,
    )
  }
  for (const row of held) {
    const { id } = addresses.find((address) => address.id === row.owner) ?? { id: '' }
    expect(row.withdrawn).toBe(
      sum(
        settled.filter((payout) => payout.address === id),
        (payout) => payout.amount,
      ),
    )
  }
}
