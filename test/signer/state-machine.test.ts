/**
 * Tests random requests under random faults of disks and clock: no payout is double, too large, too late or
 * unapproved.
 */

import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { CROWDS, FORMS } from './machine/build-request.js'
import { type Act, type AskPlan, World } from './machine/world.js'

/** Seed of the runs. A failure prints it with the path to the failed run. */
const SEED = 20_260_601
const RUNS = 150

const weighted = <T>(...pairs: readonly (readonly [weight: number, value: T])[]) =>
  fc.oneof(...pairs.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })))
const signer = weighted([5, 0 as const], [2, 1 as const])

const ask: fc.Arbitrary<AskPlan> = fc.record({
  what: weighted(
    [5, 'new' as const],
    [3, 'other_payload' as const],
    [3, 'more_fee' as const],
    [2, 'again' as const],
  ),
  pick: fc.nat(99),
  anyones: weighted([15, false], [1, true]),
  intent: fc.record({
    form: fc.nat(99),
    id: weighted([16, 'new' as const], [2, 'earlier' as const], [1, 'part' as const]),
    pick: fc.nat(99),
    size: fc.nat(4),
    age: weighted([6, 10], [1, 3], [1, -0.9], [1, 61], [1, 500]),
    lifeHours: weighted([3, 24], [1, 2], [1, 60]),
    selfish: weighted([9, false], [1, true]),
  }),
  payload: fc.record({
    cancel: weighted([4, false], [1, true]),
    nonce: fc.nat(5),
    hot: weighted([3, false], [1, true]),
    fee: fc.nat(3),
    // Some payloads spend one coin, and some several.
    coins: fc.oneof(fc.constantFrom(0, 1, 3, 7), fc.nat(14)),
    items: fc.nat(6),
    lie: weighted(
      [30, 'none' as const],
      [1, 'recipient' as const],
      [1, 'amount' as const],
      [1, 'hash' as const],
    ),
  }),
  crowd: fc.oneof(
    { weight: 10, arbitrary: fc.constant('two' as const) },
    { weight: 2, arbitrary: fc.constant('recent' as const) },
    { weight: 2, arbitrary: fc.constantFrom(...CROWDS) },
  ),
})

const kept = fc.constantFrom(0, 0.3, 0.7, 1)
const fault = fc.oneof(
  { weight: 9, arbitrary: fc.constant(null) },
  {
    weight: 1,
    arbitrary: fc.record({
      calls: fc.nat(4),
      how: fc.constantFrom('append' as const, 'half' as const, 'whole' as const, 'sync' as const),
    }),
  },
)
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      act: fc.constant('ask' as const),
      to: signer,
      asks: fc.array(ask, { minLength: 1, maxLength: 3 }),
      known: weighted([30, 'echo' as const], [1, 'false' as const], [1, 'far' as const]),
      fault,
      witness: weighted([20, 'works' as const], [1, 'fails before' as const], [1, 'fails after' as const]),
      kept,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('wait' as const),
      minutes: fc.constantFrom(0.2, 5, 65, 400, 1_430, 1_445),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('clock' as const), hoursBack: fc.constantFrom(0, 0, 1, 23, 30) }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('kill' as const), to: signer, kept }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('copy' as const), to: signer }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('restore' as const),
      to: signer,
      pick: fc.nat(9),
      parts: weighted([3, 'both' as const], [1, 'home' as const], [1, 'file' as const]),
    }),
  },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('unlock' as const), to: signer }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('lose' as const),
      to: signer,
      pick: fc.nat(9),
      hoursBack: fc.constantFrom(0, 0, 1, 30),
    }),
  },
)

beforeAll(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
})
afterAll(() => {
  vi.restoreAllMocks()
})

test('never pays an item twice, exceeds a limit, or signs an expired or unapproved intent', async () => {
  let signed = 0
  const setting = fc.record({
    forms: fc.uniqueArray(fc.constantFrom(...FORMS), { minLength: 1, maxLength: 4 }),
    nonces: fc.integer({ min: 2, max: 6 }),
    witness: fc.constantFrom('elsewhere' as const, 'tpm' as const),
  })
  const acts = fc.array(act, { minLength: 10, maxLength: 50, size: 'max' })
  await fc.assert(
    fc.asyncProperty(setting, acts, async (setting, acts) => {
      const world = await World.begin(setting)
      for (const each of acts) await world.do(each)
      signed += world.tally.signed
    }),
    { seed: SEED, numRuns: RUNS },
  )
  // A run without signatures would prove nothing.
  expect(signed).toBeGreaterThan(100)
}, 300_000)
