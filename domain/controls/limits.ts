/** Rolling limits on what leaves: which of them bind a withdrawal, and whether it still fits (seed 002, "Amount Limits"). */

import type { Coin } from '../chain/network.js'
import { KeyturnError } from '../errors.js'
import { type BaseUnits, formatAmount, parseAmount } from '../money.js'
import type { CoinLimit, Policy } from './policy.js'

export type LimitWindow = 'daily' | 'monthly'

/** Whose sum is limited: everything of the merchant, one user's, or what goes to one whitelisted address. */
export type LimitScope = 'merchant' | 'user' | 'whitelist'

const DAY_MS = 86_400_000
/** Rolling: a withdrawal counts for exactly so long after it was asked for. */
export const LIMIT_WINDOW_MS: Readonly<Record<LimitWindow, number>> = { daily: DAY_MS, monthly: 30 * DAY_MS }
/** Limits may be written more finely than a coin is; what cannot be paid is rounded down, to the stricter side. */
const FINEST_DECIMALS = 36

/** A limit in base units. */
export interface Limit {
  readonly scope: LimitScope
  readonly window: LimitWindow
  readonly amount: BaseUnits
}

/** A limit and what its window holds already. */
export interface LimitUse extends Limit {
  readonly used: BaseUnits
}

/** Base units of a decimal amount, rounded down. @throws KeyturnError `INVALID_AMOUNT`. */
export function wholeUnits(text: string, decimals: number): BaseUnits {
  return parseAmount(text, FINEST_DECIMALS) / 10n ** BigInt(FINEST_DECIMALS - decimals)
}

/**
 * The limits that bind a withdrawal: the merchant's and the user's in this coin, and those of the whitelist entry, which
 * hold in whole coins of whichever coin is sent there.
 */
export function bindingLimits(
  limits: Policy['limits'],
  withdrawal: {
    readonly network: string
    readonly coin: Coin
    /** Null draws on the merchant's own account, which has no user's limit. */
    readonly userReference: string | null
    readonly entry: Pick<CoinLimit, 'daily' | 'monthly'> | null
  },
): Limit[] {
  const { network, coin, userReference, entry } = withdrawal
  const own = (list: readonly CoinLimit[]) =>
    list.find((limit) => limit.network === network && limit.coin === coin.name) ?? null
  return [
    ...windows('merchant', own(limits.merchant), coin),
    ...windows('user', userReference === null ? null : own(limits.user), coin),
    ...windows('whitelist', entry, coin),
  ]
}

/** The limit that `requested` would exceed and that leaves least; null when it fits them all. */
export function findExceeded(requested: BaseUnits, uses: readonly LimitUse[]): LimitUse | null {
  let tightest: LimitUse | null = null
  for (const use of uses) {
    if (use.used + requested <= use.amount) continue
    if (tightest === null || remaining(use) < remaining(tightest)) tightest = use
  }
  return tightest
}

/** What a limit still lets through; never negative. */
export function remaining({ amount, used }: LimitUse): BaseUnits {
  return amount > used ? amount - used : 0n
}

const WHOSE: Readonly<Record<LimitScope, string>> = {
  merchant: 'of the merchant',
  user: 'of this user',
  whitelist: 'of this whitelisted address',
}

/** `DAILY_LIMIT_EXCEEDED` or `MONTHLY_LIMIT_EXCEEDED`, with the details of the guide in whole coins. */
export function limitExceeded(use: LimitUse, requested: BaseUnits, coin: Coin): KeyturnError {
  const daily = use.window === 'daily'
  const show = (units: BaseUnits) => formatAmount(units, coin.decimals)
  return new KeyturnError(
    daily ? 'DAILY_LIMIT_EXCEEDED' : 'MONTHLY_LIMIT_EXCEEDED',
    `${daily ? 'Daily' : 'Monthly'} withdrawal limit ${WHOSE[use.scope]} exceeded; send at most ${show(remaining(use))} ${coin.name} now, or wait until earlier withdrawals are ${daily ? '24 hours' : '30 days'} old`,
    {
      details: {
        limit: show(use.amount),
        used: show(use.used),
        requested: show(requested),
        available: show(remaining(use)),
      },
    },
  )
}

function windows(scope: LimitScope, limit: Pick<CoinLimit, 'daily' | 'monthly'> | null, coin: Coin): Limit[] {
  if (limit === null) return []
  return (['daily', 'monthly'] as const).flatMap((window) => {
    const text = limit[window]
    return text === null ? [] : [{ scope, window, amount: wholeUnits(text, coin.decimals) }]
  })
}
