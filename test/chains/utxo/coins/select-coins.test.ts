/** Selects coins within the limits of a request. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { branchAndBound } from '../../../../chains/utxo/coins/branch-and-bound.js'
import { type SelectionRequest, selectCoins } from '../../../../chains/utxo/coins/select-coins.js'
import { singleRandomDraw } from '../../../../chains/utxo/coins/single-random-draw.js'
import { feeForWeight } from '../../../../chains/utxo/coins/weights.js'

interface TestCoin {
  readonly id: number
  readonly amount: bigint
}
type Request = SelectionRequest<TestCoin>

/** A P2WPKH payment of one output. */
const BASE_WEIGHT = 42 + 124
const CHANGE_WEIGHT = 124

function request(amounts: readonly bigint[], target: bigint, changes: Partial<Request> = {}): Request {
  return {
    candidates: amounts.map((amount, id) => ({ id, amount })),
    required: [],
    target,
    baseWeight: BASE_WEIGHT,
    inputWeight: 272,
    changeWeight: CHANGE_WEIGHT,
    feeRate: 10,
    longTermFeeRate: 5,
    dust: 294n,
    feeLimit: 10n ** 12n,
    feePayer: 'sender',
    maxInputs: 250,
    seed: 1,
    ...changes,
  }
}

const amount = fc.oneof(
  fc.bigInt({ min: 1n, max: 2_000n }),
  fc.bigInt({ min: 1_000n, max: 1_000_000n }),
  fc.bigInt({ min: 1n, max: 10n ** 11n }),
)
const anyRequest = fc
  .record({
    amounts: fc.array(amount, { maxLength: 40 }),
    requiredAmounts: fc.array(amount, { maxLength: 4 }),
    target: fc.bigInt({ min: 294n, max: 10n ** 11n }),
    feeRate: fc.double({ min: 1, max: 400, noNaN: true }),
    longTermFeeRate: fc.constantFrom(1, 5, 50),
    feeLimit: fc.oneof(fc.bigInt({ min: 0n, max: 20_000n }), fc.constant(10n ** 12n)),
    floor: fc.record({
      fee: fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 20_000n })),
      rate: fc.constantFrom(0, 1, 10),
    }),
    feePayer: fc.constantFrom('sender' as const, 'recipient' as const),
    maxInputs: fc.constantFrom(3, 10, 250),
    seed: fc.nat(),
  })
  .map(({ amounts, requiredAmounts, target, ...rest }) =>
    request(amounts, target, {
      ...rest,
      required: requiredAmounts
        .slice(0, rest.maxInputs)
        .map((each, id) => ({ id: 1_000 + id, amount: each })),
    }),
  )

const sum = (coins: readonly { readonly amount: bigint }[]) =>
  coins.reduce((total, each) => total + each.amount, 0n)

describe('selectCoins', () => {
  test('keeps its promises for random requests', () => {
    let selected = 0
    fc.assert(
      fc.property(anyRequest, (asked) => {
        const selection = selectCoins(asked)
        if (selection.kind === 'insufficient_funds' || selection.kind === 'too_many_inputs') {
          expect(selection.missing).toBeGreaterThan(0n)
          // More inputs would help if their number is what is missing.
          const free = selectCoins({ ...asked, maxInputs: 1_000 }).kind
          expect(free === 'insufficient_funds').toBe(selection.kind === 'insufficient_funds')
          return
        }
        if (selection.kind === 'fee_too_high') {
          expect(selection.fee).toBeGreaterThan(asked.feeLimit)
          return
        }
        selected++
        const { coins, change, fee } = selection
        const weight =
          asked.baseWeight + coins.length * asked.inputWeight + (change > 0n ? asked.changeWeight : 0)
        const floor = (asked.floor?.fee ?? 0n) + feeForWeight(weight, asked.floor?.rate ?? 0)
        const rated = feeForWeight(weight, asked.feeRate)
        const fair = rated > floor ? rated : floor
        // Every unit is accounted for: outputs, change, fee.
        expect(sum(coins)).toBe(asked.feePayer === 'sender' ? asked.target + change + fee : sum(coins))
        expect(sum(coins) - change).toBeGreaterThanOrEqual(asked.target)
        expect(fee).toBeGreaterThanOrEqual(fair)
        expect(fee).toBeLessThanOrEqual(asked.feeLimit)
        // With change the fee is exact; without, no more goes to it than change would have cost.
        if (change > 0n) expect(fee).toBe(fair)
        expect(change === 0n || change >= asked.dust).toBe(true)
        expect(coins.slice(0, asked.required.length)).toEqual(asked.required)
        expect(new Set(coins.map((coin) => coin.id)).size).toBe(coins.length)
        expect(coins.length).toBeLessThanOrEqual(asked.maxInputs)
        const inputFee = feeForWeight(asked.inputWeight, asked.feeRate)
        if (asked.feePayer === 'sender') {
          for (const coin of coins.slice(asked.required.length)) expect(coin.amount).toBeGreaterThan(inputFee)
        }
        expect(selectCoins(asked)).toEqual(selection)
      }),
      { numRuns: 2_000 },
    )
    expect(selected).toBeGreaterThan(300)
  })

  test('overpays a payout without change by no more than change would cost', () => {
    fc.assert(
      fc.property(anyRequest, (asked) => {
        const selection = selectCoins({ ...asked, required: [], floor: { fee: 0n, rate: 0 } })
        if (selection.kind !== 'selected' || selection.change > 0n || asked.feePayer === 'recipient') return
        const fair = feeForWeight(
          asked.baseWeight + selection.coins.length * asked.inputWeight,
          asked.feeRate,
        )
        const later = feeForWeight(asked.inputWeight, asked.longTermFeeRate)
        const [, minChange = 0n] = [later, asked.dust].sort((a, b) => (a < b ? -1 : 1))
        // One unit more for each rounding of a fee.
        const roundings = BigInt(selection.coins.length) + 2n
        expect(selection.fee - fair).toBeLessThanOrEqual(
          feeForWeight(asked.changeWeight, asked.feeRate) + minChange + roundings,
        )
      }),
      { numRuns: 1_000 },
    )
  })

  test('needs no change when a set of coins pays exactly', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 3_000n, max: 10n ** 9n }), { minLength: 1, maxLength: 12 }),
        fc.nat(),
        fc.integer({ min: 1, max: 40 }),
        (amounts, mask, feeRate) => {
          const chosen = amounts.filter((_, index) => (mask >> index) & 1)
          const weight = BASE_WEIGHT + chosen.length * 272
          const target = chosen.reduce((total, each) => total + each, 0n) - feeForWeight(weight, feeRate)
          if (target < 294n) return
          const selection = selectCoins(request(amounts, target, { feeRate, longTermFeeRate: feeRate }))
          expect(selection).toMatchObject({ kind: 'selected', change: 0n })
        },
      ),
      { numRuns: 500 },
    )
  })

  test('takes the fee out of the target when the recipient pays, and never more than the target out of the wallet', () => {
    const selection = selectCoins(request([100_000n, 60_000n], 100_000n, { feePayer: 'recipient' }))
    expect(selection).toEqual({
      kind: 'selected',
      coins: [{ id: 0, amount: 100_000n }],
      change: 0n,
      fee: feeForWeight(BASE_WEIGHT + 272, 10),
    })
    const withChange = selectCoins(request([150_000n], 100_000n, { feePayer: 'recipient' }))
    expect(withChange).toMatchObject({
      change: 50_000n,
      fee: feeForWeight(BASE_WEIGHT + 272 + CHANGE_WEIGHT, 10),
    })
  })

  test('says what is missing, to the unit', () => {
    const asked = request([5_000n, 7_000n], 20_000n)
    const selection = selectCoins(asked)
    if (selection.kind !== 'insufficient_funds') throw new Error(selection.kind)
    const fee = feeForWeight(BASE_WEIGHT + 2 * 272, 10)
    expect(selection.missing).toBe(20_000n + fee - 12_000n)
    const enough = request([5_000n, 7_000n + selection.missing], 20_000n)
    expect(selectCoins(enough)).toMatchObject({ kind: 'selected', change: 0n })
  })

  test('leaves out coins that cost more than they bring, unless they are required', () => {
    const dusty = Array.from({ length: 30 }, () => 600n)
    const selection = selectCoins(request([...dusty, 100_000n], 50_000n))
    expect(selection).toMatchObject({ kind: 'selected', coins: [{ id: 30 }] })
    const anchored = selectCoins(request([100_000n], 50_000n, { required: [{ id: 99, amount: 600n }] }))
    expect(anchored).toMatchObject({ kind: 'selected', coins: [{ id: 99 }, { id: 0 }] })
  })

  test('adds nothing when the required coins suffice', () => {
    const selection = selectCoins(request([100_000n], 50_000n, { required: [{ id: 99, amount: 80_000n }] }))
    expect(selection).toMatchObject({ kind: 'selected', coins: [{ id: 99 }] })
  })

  test('returns the fee when the limit is lower', () => {
    const selection = selectCoins(request([100_000n], 50_000n, { feeLimit: 100n }))
    expect(selection).toEqual({
      kind: 'fee_too_high',
      fee: feeForWeight(BASE_WEIGHT + 272 + CHANGE_WEIGHT, 10),
    })
  })

  test('does not let the number of inputs pass the limit', () => {
    const many = Array.from({ length: 300 }, () => 10_000n)
    expect(selectCoins(request(many, 2_000_000n))).toMatchObject({ kind: 'selected' })
    expect(selectCoins(request(many, 2_400_000n))).toMatchObject({ kind: 'too_many_inputs' })
    expect(selectCoins(request(many, 3_400_000n))).toMatchObject({ kind: 'insufficient_funds' })
  })

  test('chooses among 100,000 coins in at most 100,000 branches', () => {
    const amounts = Array.from({ length: 100_000 }, (_, i) => BigInt(1_000 + ((i * 7_919) % 1_000_003)))
    const asked = request(amounts, 123_456_789n)
    expect(selectCoins(asked).kind).toBe('selected')
  })
})

describe('branchAndBound', () => {
  test('finds a match exactly when one exists, and the least wasteful one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 1n, max: 60n }), { maxLength: 10 }),
        fc.bigInt({ min: 1n, max: 200n }),
        fc.bigInt({ min: 0n, max: 10n }),
        fc.bigInt({ min: -3n, max: 3n }),
        fc.integer({ min: 1, max: 10 }),
        (values, target, tolerance, wastePerInput, maxInputs) => {
          const sorted = [...values].sort((a, b) => (a < b ? 1 : a > b ? -1 : 0))
          const waste = (indexes: readonly number[]) =>
            BigInt(indexes.length) * wastePerInput +
            indexes.reduce((all, i) => all + (sorted[i] ?? 0n), 0n) -
            target
          let best: bigint | null = null
          for (let mask = 1; mask < 1 << sorted.length; mask++) {
            const indexes = sorted.map((_, i) => i).filter((i) => (mask >> i) & 1)
            const total = indexes.reduce((all, i) => all + (sorted[i] ?? 0n), 0n)
            if (indexes.length > maxInputs || total < target || total > target + tolerance) continue
            if (best === null || waste(indexes) < best) best = waste(indexes)
          }
          const found = branchAndBound(sorted, target, tolerance, wastePerInput, maxInputs)
          if (best === null) expect(found).toBeNull()
          else if (wastePerInput >= 0n) expect(waste(found ?? [])).toBe(best)
          else expect(found).not.toBeNull()
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test('solves the simple cases of Murch’s thesis and Bitcoin Core’s tests', () => {
    const cents = (...all: number[]) => all.map((each) => BigInt(each) * 1_000_000n)
    const pay = (target: number) =>
      branchAndBound(cents(4, 3, 2, 1), BigInt(target) * 1_000_000n, 500_000n, 0n, 250)
    expect(pay(1)).toEqual([3])
    expect(pay(2)).toEqual([2])
    expect(pay(10)).toEqual([0, 1, 2, 3])
    expect(pay(11)).toBeNull()
    expect(branchAndBound([], 1_000_000n, 500_000n, 0n, 250)).toBeNull()
  })

  test('tries coins of one value once, also if there are many', () => {
    const values = [...Array<bigint>(20).fill(7n), ...Array<bigint>(50_000).fill(5n)]
    const found = branchAndBound(values, 30n, 0n, 0n, 250) ?? []
    expect(found.map((index) => values[index])).toEqual(Array(6).fill(5n))
  })

  test('gives up on a puzzle that would take too long', () => {
    // Bitcoin Core's worst case: every coin is slightly off, so that no branch can be cut early.
    const values: bigint[] = []
    for (let i = 0; i < 28; i++)
      values.push(1n << BigInt(28 + i), (1n << BigInt(28 + i)) + (1n << BigInt(27 - i)))
    values.sort((a, b) => (a < b ? 1 : -1))
    const target = Array.from({ length: 28 }, (_, i) => 1n << BigInt(28 + i)).reduce(
      (all, each) => all + each,
    )
    expect(branchAndBound(values, target - 1n, 0n, 0n, 250)).toBeNull()
  })
})

describe('singleRandomDraw', () => {
  const values = Array.from({ length: 50 }, (_, i) => BigInt(50 - i))

  test('draws each coin at most once, the same for the same seed and others for another', () => {
    const draw = (seed: number) => singleRandomDraw(values, 900n, 250, seed) ?? []
    for (let seed = 0; seed < 200; seed++) {
      const drawn = draw(seed)
      expect(new Set(drawn).size).toBe(drawn.length)
      expect(drawn.reduce((all, i) => all + (values[i] ?? 0n), 0n)).toBeGreaterThanOrEqual(900n)
      expect(draw(seed)).toEqual(drawn)
    }
    expect(draw(1)).not.toEqual(draw(2))
  })

  test('draws each coin about equally often first', () => {
    const counts = new Map<number, number>()
    for (let seed = 0; seed < 5_000; seed++) {
      const [first = -1] = singleRandomDraw(values, 1n, 250, seed) ?? []
      counts.set(first, (counts.get(first) ?? 0) + 1)
    }
    expect(counts.size).toBe(50)
    for (const count of counts.values()) expect(Math.abs(count - 100)).toBeLessThan(60)
  })

  test('fails rather than take more coins than allowed', () => {
    expect(singleRandomDraw(values, 900n, 3, 1)).toBeNull()
  })
})
