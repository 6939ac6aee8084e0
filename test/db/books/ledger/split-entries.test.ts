/** What a journal that books an outflow says about fees, change and what was paid. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JournalEntry } from '../../../../db/books/ledger/journal-entry.js'
import { splitEntries } from '../../../../db/books/ledger/split-entries.js'

const asset = { network: 'bitcoin', coin: 'btc' }
const chain = (owner: string, amount: bigint): JournalEntry => ({ ...asset, kind: 'chain', owner, amount })
const reserved = (owner: string, amount: bigint): JournalEntry => ({
  ...asset,
  kind: 'reserved',
  owner,
  amount,
})
const available = (owner: string, amount: bigint): JournalEntry => ({
  ...asset,
  kind: 'available',
  owner,
  amount,
})

test('takes change from the addresses first, then the fee', () => {
  const split = splitEntries(
    [chain('one', -600n), chain('two', -500n), chain('change', 300n), reserved('alice', 800n)],
    { btc: 50n },
  )
  expect(split).toEqual([
    { ...chain('one', -600n), moved: 300n, fee: 50n },
    chain('two', -500n),
    chain('change', 300n),
    { ...reserved('alice', 800n), fee: 50n },
  ])
})

test("lets the user bear what was paid and agreed, and the merchant's own account what is over", () => {
  const split = splitEntries([available('', 40n), chain('one', -1_090n), reserved('alice', 1_050n)], {
    btc: 90n,
  })
  expect(split).toEqual([
    { ...available('', 40n), fee: 40n },
    { ...chain('one', -1_090n), fee: 90n },
    { ...reserved('alice', 1_050n), fee: 50n },
  ])
})

test('counts a movement between own addresses as moved, and its loss beyond the fee as paid', () => {
  expect(splitEntries([chain('one', -100n), chain('two', 90n), available('', 10n)], { btc: 7n })).toEqual([
    { ...chain('one', -100n), moved: 90n, fee: 7n },
    chain('two', 90n),
    { ...available('', 10n), fee: 7n },
  ])
})

test('splits no more than leaves, alike for addresses and owners', () => {
  const amount = fc.bigInt({ min: 1n, max: 10_000n })
  fc.assert(
    fc.property(
      fc.array(amount, { minLength: 1, maxLength: 4 }),
      amount,
      amount,
      amount,
      (spent, back, fee, own) => {
        const total = spent.reduce((sum, each) => sum + each, 0n)
        fc.pre(back < total)
        const left = total - back
        const over = own < left ? own : left
        const split = splitEntries(
          [
            ...spent.map((each, index) => chain(`address-${index}`, -each)),
            chain('change', back),
            ...(left > over ? [reserved('alice', left - over)] : []),
            available('', over),
          ],
          { btc: fee },
        )
        const sum = (kinds: readonly string[], pick: (entry: JournalEntry) => bigint | null | undefined) =>
          split.reduce((all, entry) => all + (kinds.includes(entry.kind) ? (pick(entry) ?? 0n) : 0n), 0n)
        const expected = fee < left ? fee : left
        expect(sum(['chain'], (entry) => entry.fee)).toBe(expected)
        expect(sum(['available', 'reserved'], (entry) => entry.fee)).toBe(expected)
        expect(sum(['chain'], (entry) => entry.moved)).toBe(back)
        for (const entry of split) {
          const size = entry.amount < 0n ? -entry.amount : entry.amount
          expect((entry.fee ?? 0n) + (entry.moved ?? 0n)).toBeLessThanOrEqual(size)
        }
      },
    ),
  )
})
