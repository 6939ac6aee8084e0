/** Movements between a merchant's own wallets: what configuration says of them, and when one is worth its fee. */

/** What moves without anybody asking for it: rows of `withdrawals` of these kinds. */
export const MOVEMENT_KINDS = ['consolidation', 'gas_funding', 'rebalance'] as const
export type MovementKind = (typeof MOVEMENT_KINDS)[number]

/** Whether a row of `withdrawals` moves money between our own wallets instead of paying somebody. */
export function isMovement(kind: string | undefined): kind is MovementKind {
  return (MOVEMENT_KINDS as readonly string[]).includes(kind ?? '')
}

/** Between which balances of a hot wallet nothing is moved; base units. */
export interface Watermarks {
  readonly low: bigint
  readonly high: bigint
}

/** Wallets whose balance is watched. */
export type WatchedWallet = 'master' | 'hot' | 'gas'

/** A network's rules; amounts in base units, by coin. */
export interface Treasury {
  /** Whether deposits are swept, wallets balanced and outputs gathered by themselves; on request they are either way. */
  readonly automatic: boolean
  readonly consolidation: {
    /** Less than this stays where it is. */
    readonly least: Readonly<Record<string, bigint>>
    /** What one whole coin of a token is about worth, in base units of the native coin; absent: nobody knows. */
    readonly worth: Readonly<Record<string, bigint>>
    /** The fee of a sweep, its gas funding included, may be this share of its value at most; above 0, below 100. */
    readonly maxFeePercent: number
    /** After how long an address that could not be swept is tried again, doubled each time; milliseconds. */
    readonly retryMs: number
    /** How long a movement may wait for its fee or its signer before it is planned anew; milliseconds. */
    readonly expiryMs: number
  }
  /** What the gas wallet may give and pay in fees within 24 hours (EVM). */
  readonly gasDaily: bigint
  /** When small outputs become one (UTXO); null never. */
  readonly outputs: {
    /** Base units a virtual byte: only while the network is that cheap. */
    readonly maxFeeRate: number
    /** The most that spending an output may cost, in percent of it; what costs more stays where it is. */
    readonly maxFeePercent: number
    /** Outputs below this are small. */
    readonly small: bigint
    /** From so many on. */
    readonly count: number
  } | null
  /** Per hot wallet. */
  readonly rebalance: Readonly<Record<string, Watermarks>>
  /** Below this a wallet is low. */
  readonly lowBalance: Readonly<Record<WatchedWallet, Readonly<Record<string, bigint>>>>
}

/** What holds where the networks file says nothing: nothing moves by itself. */
export const NO_TREASURY: Treasury = {
  automatic: false,
  consolidation: { least: {}, worth: {}, maxFeePercent: 5, retryMs: 3_600_000, expiryMs: 3_600_000 },
  gasDaily: 0n,
  outputs: null,
  rebalance: {},
  lowBalance: { master: {}, hot: {}, gas: {} },
}

/** A wallet that was low counts as filled again only this far above its mark, so that it does not flutter. */
const HYSTERESIS_PERCENT = 110n

/** Whether a wallet is low now. @param wasLow - Whether it counted as low before. */
export function isLow(balance: bigint, mark: bigint, wasLow: boolean): boolean {
  return wasLow ? balance * 100n < mark * HYSTERESIS_PERCENT : balance < mark
}

/** Whether a fee is at most `percent` of a value in the same coin. */
export function isWorth(value: bigint, fee: bigint, percent: number): boolean {
  return fee * 10_000n <= value * BigInt(Math.round(percent * 100))
}

/** The most that a fee may be to be worth it. */
export function dearestFee(value: bigint, percent: number): bigint {
  return (value * BigInt(Math.round(percent * 100))) / 10_000n
}

/** What brings a hot wallet back to the middle of its watermarks; null where it lies between them. */
export function rebalanceOf(
  balance: bigint,
  { low, high }: Watermarks,
): { readonly direction: 'to_master' | 'to_hot'; readonly amount: bigint } | null {
  const middle = (low + high) / 2n
  if (balance > high) return { direction: 'to_master', amount: balance - middle }
  if (balance < low) return { direction: 'to_hot', amount: middle - balance }
  return null
}

/** How operators read of them. */
export const MOVEMENT_NAME: Readonly<Record<MovementKind, string>> = {
  consolidation: 'Consolidation',
  gas_funding: 'Gas funding',
  rebalance: 'Rebalance',
}
