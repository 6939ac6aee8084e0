/** Handles exact amounts: base units as `bigint` inside, decimal strings of whole coins outside. */

import { KeyturnError } from './errors.js'

/** Amount in the smallest unit of its asset (satoshi, wei, 10^-6 USDT). Only a delta may be negative. */
export type BaseUnits = bigint

/** Largest amount that `numeric(78,0)` and a `uint256` hold. */
export const MAX_BASE_UNITS = (1n << 256n) - 1n

/** Code of the character 0. */
const ZERO = 48
const DECIMAL = /^(0|[1-9]\d*)(?:\.(\d+))?$/

/**
 * Parses a decimal string of whole coins into base units, exactly.
 *
 * @param text - Amount such as `"100.50"`, without sign, exponent, grouping or leading zeros.
 * @param decimals - Decimal places of the asset (8 for BTC, 18 for ETH, 6 for USDT).
 * @throws KeyturnError `INVALID_AMOUNT` if malformed, too precise or larger than a uint256.
 */
export function parseAmount(text: string, decimals: number): BaseUnits {
  const match = DECIMAL.exec(text)
  if (!match?.[1] || text.length > 100) {
    throw new KeyturnError(
      'INVALID_AMOUNT',
      `"${text.slice(0, 100)}" is not a decimal amount; send for example "1.5"`,
    )
  }
  const fraction = match[2] ?? ''
  if (fraction.replace(/0+$/, '').length > decimals) {
    throw new KeyturnError('INVALID_AMOUNT', `The amount has more than ${decimals} decimal places`, {
      details: { amount: text, decimals },
    })
  }
  const units = BigInt(match[1] + fraction.padEnd(decimals, '0').slice(0, decimals))
  if (units > MAX_BASE_UNITS) throw new KeyturnError('INVALID_AMOUNT', 'The amount is too large')
  return units
}

/**
 * Formats base units as a decimal string of whole coins without trailing zeros, e.g. `100500000n, 6` →
 * `"100.5"`.
 */
export function formatAmount(units: BaseUnits, decimals: number): string {
  return formatDigits(units.toString(), decimals)
}

/** Formats base units that are decimal digits with or without a minus, as `formatAmount` does. */
export function formatDigits(units: string, decimals: number): string {
  const sign = units.startsWith('-') ? '-' : ''
  const digits = units.slice(sign.length).padStart(decimals + 1, '0')
  const point = digits.length - decimals
  let end = digits.length
  while (end > point && digits.charCodeAt(end - 1) === ZERO) end--
  const whole = sign + digits.slice(0, point)
  return end === point ? whole : `${whole}.${digits.slice(point, end)}`
}
