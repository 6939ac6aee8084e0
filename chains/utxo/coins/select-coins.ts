/**
 * Chooses the coins that pay: several strategies propose, the waste metric chooses, and the fee limit can
 * refuse.
 */

import { branchAndBound } from './branch-and-bound.js'
import { singleRandomDraw } from './single-random-draw.js'
import { feeForWeight } from './weights.js'

export interface SelectionRequest<Coin> {
  /** Coins that may pay. All inputs weigh the same, because all have one script type. */
  readonly candidates: readonly Coin[]
  /** Coins that must be spent at any cost. */
  readonly required: readonly Coin[]
  /** Sum of the outputs in base units. */
  readonly target: bigint
  /** Weight of the transaction without inputs and change. */
  readonly baseWeight: number
  readonly inputWeight: number
  /** Weight that a change output adds. */
  readonly changeWeight: number
  /** Rate in sat/vB now, and the expected cost of an input in calmer times (for the waste metric). */
  readonly feeRate: number
  readonly longTermFeeRate: number
  /** Least change. A smaller one goes to the fee. */
  readonly dust: bigint
  /**
   * Floor of the fee: `fee`, and `rate` sat/vB of the whole size on top, as a replacement must pay. Default
   * none.
   */
  readonly floor?: { readonly fee: bigint; readonly rate: number }
  readonly feeLimit: bigint
  /**
   * Payer of the fee. `recipient`: the fee comes out of the target, so coins need only reach the target
   * itself.
   */
  readonly feePayer: 'sender' | 'recipient'
  readonly maxInputs: number
  /** Seed that makes the random draw repeatable. */
  readonly seed: number
}

export type Selection<Coin> =
  | {
      readonly kind: 'selected'
      /** Coins, the required ones first, in their order. */
      readonly coins: readonly Coin[]
      /** Change. 0 without a change output. */
      readonly change: bigint
      /** Fee: inputs − outputs − change. */
      readonly fee: bigint
    }
  | { readonly kind: 'insufficient_funds'; readonly missing: bigint }
  /** All coins together would suffice, but not as many as one transaction may spend. */
  | { readonly kind: 'too_many_inputs'; readonly missing: bigint }
  | { readonly kind: 'fee_too_high'; readonly fee: bigint }

/** Least change that a random draw aims for, so that it is worth having (Bitcoin Core's CHANGE_LOWER). */
const COMFORTABLE_CHANGE = 50_000n

interface Proposal<Coin> {
  readonly coins: readonly Coin[]
  readonly change: bigint
  readonly fee: bigint
  readonly waste: bigint
}

/**
 * Selects coins by effective value (amount less the fee of spending it). Deterministic for the same request
 * and seed.
 */
export function selectCoins<Coin extends { readonly amount: bigint }>(
  request: SelectionRequest<Coin>,
): Selection<Coin> {
  const { required, target, feePayer, inputWeight, feeRate, longTermFeeRate } = request
  const senderPays = feePayer === 'sender'
  const { floor } = request
  const feeOf = (weight: number) =>
    atLeast(feeForWeight(weight, feeRate), floor ? floor.fee + feeForWeight(weight, floor.rate) : 0n)
  // Largest cost of an input, whether the rate or the floor decides.
  const inputFee = feeForWeight(inputWeight, Math.max(feeRate, floor?.rate ?? 0))
  const laterInputFee = feeForWeight(inputWeight, longTermFeeRate)
  const changeFee = feeForWeight(request.changeWeight, feeRate)
  const minChange = atLeast(request.dust, laterInputFee)
  const wastePerInput = inputFee - laterInputFee

  const effective = (coin: Coin) => (senderPays ? coin.amount - inputFee : coin.amount)
  const pool = request.candidates
    .filter((coin) => effective(coin) > 0n)
    .sort((a, b) => (a.amount < b.amount ? 1 : a.amount > b.amount ? -1 : 0))
  const values = pool.map(effective)
  const room = request.maxInputs - required.length
  const baseFee = feeOf(request.baseWeight + required.length * inputWeight)
  const need = target + (senderPays ? baseFee : 0n) - required.reduce((sum, coin) => sum + coin.amount, 0n)

  const reachable = values.slice(0, Math.max(0, room)).reduce((sum, value) => sum + value, 0n)
  if (reachable < need) {
    const all = values.reduce((sum, value) => sum + value, 0n)
    return { kind: all < need ? 'insufficient_funds' : 'too_many_inputs', missing: need - reachable }
  }

  const withChange = need + (senderPays ? changeFee : 0n)
  const proposals: Proposal<Coin>[] = []
  const propose = (indexes: readonly number[] | null) => {
    if (indexes) proposals.push(settle([...required, ...indexes.map((index) => pool[index] as Coin)]))
  }
  if (need <= 0n && required.length > 0) {
    propose([])
  } else {
    // If the recipient pays, an overpaid match without change would cost the recipient an amount that no
    // person approved, so only exact ones count.
    const costOfChange = senderPays ? changeFee + laterInputFee : 0n
    propose(branchAndBound(values, need, costOfChange, wastePerInput, room))
    propose(singleRandomDraw(values, withChange + COMFORTABLE_CHANGE, room, request.seed))
    propose(smallestSufficient(values, withChange + minChange))
    propose(largestFirst(values, withChange + minChange, room) ?? largestFirst(values, need, room))
  }

  const affordable = proposals.filter((each) => each.fee <= request.feeLimit).sort(byWaste)
  const [best] = affordable
  if (best) return { kind: 'selected', coins: best.coins, change: best.change, fee: best.fee }
  const fees = proposals.map((each) => each.fee).sort((a, b) => (a < b ? -1 : 1))
  return { kind: 'fee_too_high', fee: fees[0] ?? baseFee }

  /** Returns fee and change of a set of coins by the real size of the transaction that it makes. */
  function settle(coins: readonly Coin[]): Proposal<Coin> {
    const sum = coins.reduce((total, coin) => total + coin.amount, 0n)
    const weight = request.baseWeight + coins.length * inputWeight
    const inputsWaste = BigInt(coins.length) * wastePerInput
    const feeWithChange = feeOf(weight + request.changeWeight)
    const change = sum - target - (senderPays ? feeWithChange : 0n)
    if (change >= minChange) {
      return { coins, change, fee: feeWithChange, waste: inputsWaste + changeFee + laterInputFee }
    }
    const fee = feeOf(weight)
    const rest = sum - target - (senderPays ? fee : 0n)
    return { coins, change: 0n, fee: fee + rest, waste: inputsWaste + rest }
  }
}

/** `Math.max` of two bigints. */
function atLeast(value: bigint, floor: bigint): bigint {
  if (value < floor) return floor
  return value
}

function byWaste<Coin>(a: Proposal<Coin>, b: Proposal<Coin>): number {
  if (a.waste !== b.waste) return a.waste < b.waste ? -1 : 1
  if (a.fee !== b.fee) return a.fee < b.fee ? -1 : 1
  return a.change < b.change ? -1 : a.change > b.change ? 1 : 0
}

/** Returns the smallest single coin that suffices: one input, and the large coins stay whole for others. */
function smallestSufficient(values: readonly bigint[], target: bigint): number[] | null {
  const index = values.findLastIndex((value) => value >= target)
  return index < 0 ? null : [index]
}

function largestFirst(values: readonly bigint[], target: bigint, maxInputs: number): number[] | null {
  let sum = 0n
  for (let count = 0; count < values.length && count < maxInputs; count++) {
    sum += values[count] as bigint
    if (sum >= target) return Array.from({ length: count + 1 }, (_, index) => index)
  }
  return null
}
