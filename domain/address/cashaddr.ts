/**
 * Encodes and decodes CashAddr, the address format of Bitcoin Cash
 * (https://github.com/bitcoincashorg/bitcoincash.org/blob/master/spec/cashaddr.md).
 */

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const GENERATORS = [0x98f2bc8e61n, 0x79b76d99e2n, 0xf33e5fb3c4n, 0xae2eabe2a8n, 0x1e4f43e470n] as const
const CHECKSUM_DIGITS = 8
/** Version bytes of hashes of 20 bytes: size bits 0. */
const TYPE_BITS = { p2pkh: 0, p2sh: 8 } as const
/**
 * Version bytes of recipients that take CashTokens as well (`z…`, `r…`). The script is that of the plain
 * form.
 */
const TOKEN_AWARE_BITS = { p2pkh: 16, p2sh: 24 } as const
const HASH_BYTES = 20

export interface CashAddress {
  readonly kind: keyof typeof TYPE_BITS
  /** Hash of 20 bytes. */
  readonly hash: Uint8Array
}

/** Returns the address with its prefix. @param prefix - `bitcoincash`, `bchtest` or `bchreg`. */
export function encodeCashAddress(prefix: string, { kind, hash }: CashAddress): string {
  const payload = regroup([TYPE_BITS[kind], ...hash], 8, 5, true)
  let checksum = polymod([...prefixDigits(prefix), ...payload, ...new Array<number>(CHECKSUM_DIGITS).fill(0)])
  const digits = new Array<number>(CHECKSUM_DIGITS)
  for (let i = CHECKSUM_DIGITS - 1; i >= 0; i--) {
    digits[i] = Number(checksum & 31n)
    checksum >>= 5n
  }
  return `${prefix}:${[...payload, ...digits].map((digit) => ALPHABET[digit]).join('')}`
}

/**
 * Decodes an address with or without its prefix. Returns `null` if it is not of this prefix, or pays no hash
 * of 20 bytes. The result does not say that an address takes tokens, because coins are paid to its plain
 * form.
 */
export function decodeCashAddress(prefix: string, text: string): CashAddress | null {
  const read = readCashAddress(prefix, text)
  if (read?.hash.length !== HASH_BYTES) return null
  const kind = (['p2pkh', 'p2sh'] as const).find(
    (each) => read.version === TYPE_BITS[each] || read.version === TOKEN_AWARE_BITS[each],
  )
  return kind === undefined ? null : { kind, hash: read.hash }
}

/**
 * Returns the content of an address with a valid checksum, also of unknown types and sizes. `null` if it is
 * not of this prefix.
 */
export function readCashAddress(
  prefix: string,
  text: string,
): { readonly version: number; readonly hash: Uint8Array } | null {
  if (text !== text.toLowerCase() && text !== text.toUpperCase()) return null
  const lower = text.toLowerCase()
  const body = lower.startsWith(`${prefix}:`) ? lower.slice(prefix.length + 1) : lower
  const digits = [...body].map((letter) => ALPHABET.indexOf(letter))
  if (digits.includes(-1) || digits.length <= CHECKSUM_DIGITS) return null
  if (polymod([...prefixDigits(prefix), ...digits]) !== 0n) return null
  const bytes = regroup(digits.slice(0, -CHECKSUM_DIGITS), 5, 8, false)
  const [version, ...hash] = bytes
  return version === undefined ? null : { version, hash: Uint8Array.from(hash) }
}

function prefixDigits(prefix: string): number[] {
  return [...[...prefix].map((letter) => letter.charCodeAt(0) & 31), 0]
}

function polymod(digits: readonly number[]): bigint {
  let state = 1n
  for (const digit of digits) {
    const top = state >> 35n
    state = ((state & 0x07ffffffffn) << 5n) ^ BigInt(digit)
    GENERATORS.forEach((generator, bit) => {
      if ((top >> BigInt(bit)) & 1n) state ^= generator
    })
  }
  return state ^ 1n
}

/** Regroups bits. Without `pad`, left-over bits must be zero padding; otherwise the result is empty. */
function regroup(values: readonly number[], from: number, to: number, pad: boolean): number[] {
  const mask = (1 << to) - 1
  const result: number[] = []
  let bits = 0
  let held = 0
  for (const value of values) {
    held = (held << from) | value
    bits += from
    while (bits >= to) {
      bits -= to
      result.push((held >> bits) & mask)
    }
    held &= (1 << bits) - 1
  }
  if (pad) {
    if (bits > 0) result.push((held << (to - bits)) & mask)
  } else if (bits >= from || held !== 0) {
    return []
  }
  return result
}
