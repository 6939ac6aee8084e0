/** Reads and adds decimal amounts without floats. */

import { z } from 'zod'

const DECIMALS = 18

/** An amount in a request, such as "0.05". Nothing else gets into the books, where it would have to be added. */
export const amountText = z.string().regex(/^(0|[1-9]\d{0,20})(\.\d{1,18})?$/, 'is not a decimal amount')

/** Returns an amount such as "0.05" in units of 10⁻¹⁸. */
export function toUnits(amount: string): bigint {
  const [whole = '', fraction = ''] = amount.split('.')
  if (!/^\d+$/.test(whole) || !/^\d{0,18}$/.test(fraction)) throw new Error(`${amount} is not an amount`)
  return BigInt(whole + fraction.padEnd(DECIMALS, '0'))
}

/** Returns units as the shortest decimal text. */
export function toAmount(units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(DECIMALS + 1, '0')
  const text = `${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`.replace(/\.?0+$/, '')
  return units < 0n ? `-${text}` : text
}

/** Returns the sum of amounts. */
export function sumOf(amounts: Iterable<string>): string {
  let sum = 0n
  for (const amount of amounts) sum += toUnits(amount)
  return toAmount(sum)
}
