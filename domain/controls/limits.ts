/** Rolling limits on what leaves: finds those that bind a withdrawal, and decides whether it still fits. */

import type { Coin } from '../chain/network.js'
import { KeyturnError } from '../errors.js'
import { type BaseUnits, formatAmount, parseAmount } from '../money.js'
import type { CoinLimit, Policy } from './policy.js'

export type LimitWindow = 'daily' | 'monthly'

/** Whose sum is limited: the whole merchant, one user, or one whitelisted address. */
export type LimitScope = 'merchant' | 'user' | 'whitelist'

const DAY_MS = 86_400_000
/** Windows of the limits. They roll: a withdrawal counts for exactly this long after its request. */
export const LIMIT_WINDOW_MS: Readonly<Record<LimitWindow, number>> = { daily: DAY_MS, monthly: 30 * DAY_MS }
/** Limits may have more decimals than a coin. They are rounded down, to the stricter side. */
const FINEST_DECIMALS = 36

/** A limit in base units. */
export interface Limit {
  readonly scope: LimitScope
  readonly window: LimitWindow
  readonly amount: BaseUnits
}

/** A limit with the sum that its window has already. */
export interface LimitUse extends Limit {
  readonly used: BaseUnits
}

/** Returns the base units of a decimal amount, rounded down. @throws KeyturnError `INVALID_AMOUNT`. */
export function wholeUnits(text: string, decimals: number): BaseUnits {
  return parseAmount(text, FINEST_DECIMALS) / 10n ** BigInt(FINEST_DECIMALS - decimals)
}

/**
 * Returns the limits that bind a withdrawal: the merchant's and the user's in this coin, and those of the whitelist
 * entry, which apply in whole coins to each coin.
 */
export function bindingLimits(
  limits: Policy['limits'],
  withdrawal: {
    readonly network: string
    readonly coin: Coin
    /** `null` draws on the merchant's own account, which has no user's limit. */
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

/** Returns the limit that `requested` would exceed and that leaves least. `null` when it fits them all. */
export function findExceeded(requested: BaseUnits, uses: readonly LimitUse[]): LimitUse | null {
  let tightest: LimitUse | null = null
  for (const use of uses) {
    if (use.used + requested <= use.amount) continue
    if (tightest === null || remaining(use) < remaining(tightest)) tightest = use
  }
  return tightest
}

/** Returns what a limit still allows, never below 0. */
export function remaining({ amount, used }: LimitUse): BaseUnits {
  return amount > used ? amount - used : 0n
}

const WHOSE: Readonly<Record<LimitScope, string>> = {
  merchant: 'of the merchant',
  user: 'of this user',
  whitelist: 'of this whitelisted address',
}

/** Returns `DAILY_LIMIT_EXCEEDED` or `MONTHLY_LIMIT_EXCEEDED`, with its details in whole coins. */
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
