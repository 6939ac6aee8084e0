/** Computes with amounts of exports, which are decimal texts of any coin, exactly. */

import { formatAmount, parseAmount } from '../../domain/money.js'

/** Decimal places that every amount is scaled to. No coin has more than 18 in practice, and exports never more. */
const SCALE = 36

/** Returns an amount, scaled. `null` where the text is none. */
export function parseDecimal(text: unknown): bigint | null {
  if (typeof text !== 'string') return null
  const negative = text.startsWith('-')
  try {
    const units = parseAmount(negative ? text.slice(1) : text, SCALE)
    return negative ? -units : units
  } catch {
    return null
  }
}

/** Writes a scaled amount as exports do. */
export function showDecimal(scaled: bigint): string {
  return formatAmount(scaled, SCALE)
}

/** Scales base units of a coin. */
export function scale(units: bigint, decimals: number): bigint {
  return units * 10n ** BigInt(SCALE - decimals)
}
