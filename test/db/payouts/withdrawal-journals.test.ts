/** The journals of payouts: holds, settlements and change. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Journal } from '../../../db/books/ledger/post-journal.js'
import {
  holdJournal,
  type Outflow,
  releaseJournal,
  settleJournal,
} from '../../../db/payouts/withdrawal-journals.js'

const terms = fc
  .record({
    id: fc.constant('withdrawal_1'),
    merchant_id: fc.constant('mer_1'),
    network: fc.constant('ethereum'),
    coin: fc.constantFrom('eth', 'usdt'),
    amount: fc.bigInt({ min: 1_000_000n, max: 10n ** 30n }),
    fee_coin: fc.constant('eth'),
    fee_limit: fc.bigInt({ min: 1n, max: 999_999n }),
    fee_payer: fc.constantFrom('sender' as const, 'recipient' as const),
    user_reference: fc.option(fc.constantFrom('alice', 'bob'), { nil: null }),
  })
  .filter((each) => each.fee_payer === 'sender' || each.coin === 'eth')

function sums(...journals: Journal[]): Map<string, bigint> {
  const totals = new Map<string, bigint>()
  for (const { entries } of journals)
    for (const { coin, kind, owner, amount } of entries) {
      const key = `${coin} ${kind} ${owner}`
      totals.set(key, (totals.get(key) ?? 0n) + amount)
    }
  return new Map([...totals].filter(([, amount]) => amount !== 0n))
}
function expectBalanced({ entries }: Journal): void {
  for (const coin of new Set(entries.map((entry) => entry.coin)))
    expect(entries.reduce((sum, entry) => (entry.coin === coin ? sum + entry.amount : sum), 0n)).toBe(0n)
  expect(entries.every((entry) => entry.amount !== 0n)).toBe(true)
  const accounts = entries.map(({ coin, kind, owner }) => `${coin} ${kind} ${owner}`)
  expect(new Set(accounts).size).toBe(accounts.length)
}

test('a hold and its release cancel out', () => {
  fc.assert(
    fc.property(terms, (each) => {
      expectBalanced(holdJournal(each))
      expectBalanced(releaseJournal(each))
      expect(sums(holdJournal(each), releaseJournal(each))).toEqual(new Map())
    }),
  )
})

test('a hold and its settlement cost the owner exactly what left, and leave nothing reserved', () => {
  fc.assert(
    fc.property(terms, fc.nat(999_998), fc.boolean(), (each, spent, succeeded) => {
      const fee = BigInt(spent) % each.fee_limit
      const paid = each.fee_payer === 'recipient' ? each.amount - each.fee_limit : each.amount
      const outflows: Outflow[] = [
        ...(succeeded ? [{ addressId: 'addr_hot', coin: each.coin, amount: paid }] : []),
        { addressId: 'addr_hot', coin: 'eth', amount: fee },
      ]
      const settled = settleJournal(each, outflows)
      expectBalanced(settled)
      const total = sums(holdJournal(each), settled)
      for (const key of total.keys()) expect(key).not.toContain('reserved')
      for (const coin of ['eth', 'usdt']) {
        const left = outflows.reduce((sum, out) => (out.coin === coin ? sum + out.amount : sum), 0n)
        expect(total.get(`${coin} chain addr_hot`) ?? 0n).toBe(-left)
      }
      const user = each.user_reference ?? ''
      const payer = each.coin === 'eth' ? user : ''
      expect(total.get(`eth available ${payer}`) ?? 0n).toBe(
        fee + (each.coin === 'eth' && succeeded ? paid : 0n),
      )
    }),
  )
})

test('books change at its own address', () => {
  const journal = settleJournal(
    {
      id: 'withdrawal_1',
      merchant_id: 'mer_1',
      network: 'bitcoin',
      coin: 'btc',
      amount: 50n,
      fee_coin: 'btc',
      fee_limit: 20n,
      fee_payer: 'sender',
      user_reference: 'alice',
    },
    [
      { addressId: 'addr_a', coin: 'btc', amount: 60n },
      { addressId: 'addr_b', coin: 'btc', amount: 40n },
      { addressId: 'addr_change', coin: 'btc', amount: -45n },
    ],
  )
  expectBalanced(journal)
  expect(sums(journal)).toEqual(
    new Map([
      ['btc chain addr_a', -60n],
      ['btc chain addr_b', -40n],
      ['btc chain addr_change', 45n],
      ['btc reserved alice', 70n],
      ['btc available alice', -15n],
    ]),
  )
})

const held = {
  id: 'withdrawal_1',
  merchant_id: 'mer_1',
  network: 'ethereum',
  coin: 'usdt',
  amount: 50n,
  fee_coin: 'eth',
  fee_limit: 20n,
  fee_payer: 'sender' as const,
  user_reference: 'alice',
}
const out = (coin: string, amount: bigint) => ({ addressId: 'addr_hot', coin, amount })

test('never posts more than the hold and what the network took', () => {
  expect(() => settleJournal(held, [out('usdt', 51n)], 21n)).toThrow('only 50 were held')
  expect(() => settleJournal(held, [out('eth', 21n)], 0n)).toThrow('only 20 were held')
  expect(() => settleJournal(held, [out('dai', 1n)])).toThrow('none of which was held')
  const native = { ...held, coin: 'eth' }
  expect(() => settleJournal(native, [out('eth', 101n), out('eth', 30n)], 30n)).toThrow('only 70 were held')
})

test('books a fee above the limit as the chain took it, with the difference on the merchant’s own account', () => {
  const token = settleJournal(held, [out('usdt', 50n), out('eth', 33n)], 33n)
  expectBalanced(token)
  expect(sums(holdJournal(held), token)).toEqual(
    new Map([
      ['usdt available alice', 50n],
      ['usdt chain addr_hot', -50n],
      ['eth available ', 33n],
      ['eth chain addr_hot', -33n],
    ]),
  )
  const native = { ...held, coin: 'eth' }
  const settled = settleJournal(native, [out('eth', 50n), out('eth', 33n)], 33n)
  expectBalanced(settled)
  expect(sums(holdJournal(native), settled)).toEqual(
    new Map([
      ['eth available alice', 70n],
      ['eth available ', 13n],
      ['eth chain addr_hot', -83n],
    ]),
  )
})
