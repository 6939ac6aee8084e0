/**
 * Defines the rules of movements between a merchant's own wallets, and computes when one is worth its fee.
 */

/** Kinds of payouts that the platform makes without a request. */
export const MOVEMENT_KINDS = ['consolidation', 'gas_funding', 'rebalance'] as const
export type MovementKind = (typeof MOVEMENT_KINDS)[number]

/** Returns whether a payout moves money between own wallets instead of paying an outside recipient. */
export function isMovement(kind: string | undefined): kind is MovementKind {
  return (MOVEMENT_KINDS as readonly string[]).includes(kind ?? '')
}

/** Balances of a hot wallet between which nothing is moved, in base units. */
export interface Watermarks {
  readonly low: bigint
  readonly high: bigint
}

/** Wallet whose balance is watched. */
export type WatchedWallet = 'master' | 'hot' | 'gas'

/** Rules of a network. Amounts are base units, by coin. */
export interface Treasury {
  /** Whether the platform sweeps deposits, balances wallets and consolidates outputs without a request. */
  readonly automatic: boolean
  readonly consolidation: {
    /** Least amount of a sweep. Less stays where it is. */
    readonly least: Readonly<Record<string, bigint>>
    /**
     * Approximate value of one whole coin of a token, in base units of the native coin. Absent if unknown.
     */
    readonly worth: Readonly<Record<string, bigint>>
    /** Largest share of a sweep's value that its fee, gas funding included, may be. Above 0, below 100. */
    readonly maxFeePercent: number
    /** Milliseconds after which an address that could not be swept is tried again. They double each time. */
    readonly retryMs: number
    /** Milliseconds that a movement may wait for its fee or its signer before it is planned again. */
    readonly expiryMs: number
  }
  /** Most that the gas wallet may give and pay in fees within 24 hours (EVM). */
  readonly gasDaily: bigint
  /** Rules by which small outputs become one (UTXO). `null` for never. */
  readonly outputs: {
    /** Highest fee rate, in base units a virtual byte, at which outputs are consolidated. */
    readonly maxFeeRate: number
    /**
     * Largest share of an output that spending it may cost, in percent. An output that costs more stays where
     * it is.
     */
    readonly maxFeePercent: number
    /** Amount below which an output is small. */
    readonly small: bigint
    /** Number of small outputs from which on they are consolidated. */
    readonly count: number
  } | null
  /** Watermarks of each hot wallet. */
  readonly rebalance: Readonly<Record<string, Watermarks>>
  /** Balance below which a wallet is low. */
  readonly lowBalance: Readonly<Record<WatchedWallet, Readonly<Record<string, bigint>>>>
}

/** Rules of a network without any in its file: the platform makes no movement without a request. */
export const NO_TREASURY: Treasury = {
  automatic: false,
  consolidation: { least: {}, worth: {}, maxFeePercent: 5, retryMs: 3_600_000, expiryMs: 3_600_000 },
  gasDaily: 0n,
  outputs: null,
  rebalance: {},
  lowBalance: { master: {}, hot: {}, gas: {} },
}

/**
 * Share of its mark above which a wallet that was low counts as filled again, so that the alert does not
 * flutter.
 */
const HYSTERESIS_PERCENT = 110n

/** Returns whether a wallet is low now. @param wasLow - Whether it counted as low before. */
export function isLow(balance: bigint, mark: bigint, wasLow: boolean): boolean {
  return wasLow ? balance * 100n < mark * HYSTERESIS_PERCENT : balance < mark
}

/** Returns whether a fee is at most `percent` of a value in the same coin. */
export function isWorth(value: bigint, fee: bigint, percent: number): boolean {
  return fee * 10_000n <= value * BigInt(Math.round(percent * 100))
}

/** Returns the highest fee that is worth it. */
export function highestWorthwhileFee(value: bigint, percent: number): bigint {
  return (value * BigInt(Math.round(percent * 100))) / 10_000n
}

/**
 * Returns the movement that brings a hot wallet back to the middle of its watermarks. `null` if it lies
 * between them.
 */
export function rebalanceOf(
  balance: bigint,
  { low, high }: Watermarks,
): { readonly direction: 'to_master' | 'to_hot'; readonly amount: bigint } | null {
  const middle = (low + high) / 2n
  if (balance > high) return { direction: 'to_master', amount: balance - middle }
  if (balance < low) return { direction: 'to_hot', amount: middle - balance }
  return null
}

/** Names of the kinds of movements for operators. */
export const MOVEMENT_NAME: Readonly<Record<MovementKind, string>> = {
  consolidation: 'Consolidation',
  gas_funding: 'Gas funding',
  rebalance: 'Rebalance',
}
