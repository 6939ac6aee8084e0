/**
 * Measures coin selection beside that of `@scure/btc-signer`: its time over a large wallet, and its waste
 * over small random wallets (Murch, "An Evaluation of Coin Selection Strategies", 2016), where every subset
 * can be tried and the optimum is known.
 */

import { p2wpkh, selectUTXO } from '@scure/btc-signer'
import { pubECDSA } from '@scure/btc-signer/utils.js'
import { selectCoins } from '../chains/utxo/coins/select-coins.js'
import { feeForWeight, frameWeight, INPUT_WEIGHT, outputWeight } from '../chains/utxo/coins/weights.js'
import { REGTEST } from '../local/parts/bitcoin-faucet.js'
import { createRandom } from '../test/fault/random.js'
import { alternate } from './alternate.js'
import type { BenchContext } from './context.js'
import type { Measurement } from './measurement.js'

const SEED = 20_161_011
const LARGE = 100_000
const ROUNDS = 1
const PAYMENTS = 1
/** Coins of a small wallet, of which every subset is tried. */
const SMALL = 12
const WALLETS = 100
/** Fee rates of now in sat/vB, beside `LONG_TERM`, the rate of an input that is spent later. */
const FEE_RATES = [3, 10, 40] as const
const LONG_TERM = 10
const DUST = 294n
const MAX_INPUTS = 250

const { script, address } = p2wpkh(pubECDSA(Buffer.alloc(32, 7)), REGTEST)
const SCRIPT = Buffer.from(script)
const INPUT = INPUT_WEIGHT.p2wpkh
const BASE = frameWeight(1, 'p2wpkh') + outputWeight(SCRIPT)
const CHANGE = frameWeight(2, 'p2wpkh') - frameWeight(1, 'p2wpkh') + outputWeight(SCRIPT)

interface Coin {
  readonly index: number
  readonly amount: bigint
}

/** Measures the time over 100,000 coins, and the mean waste above the optimum over wallets of 12. */
export async function benchCoinSelection(context: BenchContext): Promise<Measurement[]> {
  const random = createRandom(SEED)
  context.progress(`  … ${LARGE.toLocaleString('en')} coins`)
  const large = wallet(random, LARGE)
  const total = large.reduce((sum, coin) => sum + coin.amount, 0n)
  const payments = Array.from({ length: PAYMENTS }, () => (total * BigInt(random.between(1, 50))) / 100_000n)
  const perSelection = async (select: (target: bigint) => unknown): Promise<number> => {
    const started = performance.now()
    for (const target of payments) select(target)
    return (performance.now() - started) / PAYMENTS
  }
  const theirs = inputsOf(large)
  const time = await alternate(
    ROUNDS,
    () => perSelection((target) => ours(large, target, LONG_TERM)),
    () => perSelection((target) => scure(theirs, target, LONG_TERM)),
  )
  const measurements: Measurement[] = [
    {
      name: `coin selection over ${LARGE.toLocaleString('en')} coins`,
      unit: 'ms',
      ours: time.ours,
      against: '@scure/btc-signer',
      reference: time.reference,
      ratio: 1 / time.ratio,
      expected: null,
    },
  ]
  for (const feeRate of FEE_RATES) measurements.push(wasteLine(random, feeRate))
  return measurements
}

function wasteLine(random: ReturnType<typeof createRandom>, feeRate: number): Measurement {
  let [above, theirsAbove, counted] = [0, 0, 0]
  for (let each = 0; each < WALLETS; each++) {
    const coins = wallet(random, SMALL)
    const total = coins.reduce((sum, coin) => sum + coin.amount, 0n)
    const target = (total * BigInt(random.between(5, 70))) / 100n
    const chosen = ours(coins, target, feeRate)
    const other = scure(inputsOf(coins), target, feeRate)
    if (!chosen || !other) continue
    const best = optimum(coins, target, feeRate)
    above += Number(wasteOf(chosen, target, feeRate) - best)
    theirsAbove += Number(
      wasteOf(
        other.map((index) => coins[index] as Coin),
        target,
        feeRate,
      ) - best,
    )
    counted += 1
  }
  const [mean, reference] = [above / counted, theirsAbove / counted]
  return {
    name: `waste above the optimum at ${feeRate} sat/vB, mean of ${counted} random wallets`,
    unit: 'sat',
    ours: mean,
    against: '@scure/btc-signer',
    reference,
    // No waste has no ratio, so one satoshi stands for it.
    ratio: Math.max(reference, 1) / Math.max(mean, 1),
    expected: null,
  }
}

/** Makes amounts from thousands of satoshis to some coins, spread evenly by magnitude. */
function wallet(random: ReturnType<typeof createRandom>, size: number): Coin[] {
  return Array.from({ length: size }, (_, index) => ({
    index,
    amount: BigInt(Math.round(10 ** (random.between(3_500, 8_500) / 1_000))),
  }))
}

function ours(coins: readonly Coin[], target: bigint, feeRate: number): readonly Coin[] | null {
  const selected = selectCoins({
    candidates: coins,
    required: [],
    target,
    baseWeight: BASE,
    inputWeight: INPUT,
    changeWeight: CHANGE,
    feeRate,
    longTermFeeRate: LONG_TERM,
    dust: DUST,
    feeLimit: target,
    feePayer: 'sender',
    maxInputs: MAX_INPUTS,
    seed: SEED,
  })
  return selected.kind === 'selected' ? selected.coins : null
}

type Inputs = Parameters<typeof selectUTXO>[0]

function inputsOf(coins: readonly Coin[]): Inputs {
  return coins.map(({ index, amount }) => ({
    txid: index.toString(16).padStart(64, '0'),
    index: 0,
    witnessUtxo: { script: SCRIPT, amount },
  }))
}

/** Tries every subset. @returns The indexes of the best coins. */
function scure(inputs: Inputs, target: bigint, feeRate: number): number[] | null {
  const selected = selectUTXO(inputs, [{ script: SCRIPT, amount: target }], 'default', {
    feePerByte: BigInt(feeRate),
    changeAddress: address ?? '',
    network: REGTEST,
    dust: DUST,
  })
  if (!selected) return null
  return selected.inputs.map(({ txid }) => Number.parseInt(Buffer.from(txid ?? []).toString('hex'), 16))
}

/**
 * Returns Bitcoin Core's metric: the cost of inputs now above later, and the cost of change or the excess
 * given away.
 */
function wasteOf(coins: readonly Coin[], target: bigint, feeRate: number): bigint {
  const later = feeForWeight(INPUT, LONG_TERM)
  const inputs = BigInt(coins.length) * (feeForWeight(INPUT, feeRate) - later)
  const sum = coins.reduce((total, coin) => total + coin.amount, 0n)
  const weight = BASE + coins.length * INPUT
  const change = sum - target - feeForWeight(weight + CHANGE, feeRate)
  if (change >= (later > DUST ? later : DUST)) return inputs + feeForWeight(CHANGE, feeRate) + later
  return inputs + sum - target - feeForWeight(weight, feeRate)
}

function optimum(coins: readonly Coin[], target: bigint, feeRate: number): bigint {
  let best: bigint | null = null
  for (let mask = 1; mask < 1 << coins.length; mask++) {
    const some = coins.filter((_, index) => mask & (1 << index))
    const sum = some.reduce((total, coin) => total + coin.amount, 0n)
    if (sum < target + feeForWeight(BASE + some.length * INPUT, feeRate)) continue
    const waste = wasteOf(some, target, feeRate)
    if (best === null || waste < best) best = waste
  }
  return best ?? 0n
}
