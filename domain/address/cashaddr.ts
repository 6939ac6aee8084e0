/** CashAddr, the address format of Bitcoin Cash (https://github.com/bitcoincashorg/bitcoincash.org/blob/master/spec/cashaddr.md). */

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const GENERATORS = [0x98f2bc8e61n, 0x79b76d99e2n, 0xf33e5fb3c4n, 0xae2eabe2a8n, 0x1e4f43e470n] as const
const CHECKSUM_DIGITS = 8
/** Only 20-byte hashes exist in practice: size bits 0. */
const TYPE_BITS = { p2pkh: 0, p2sh: 8 } as const

export interface CashAddress {
  readonly kind: keyof typeof TYPE_BITS
  /** 20 bytes. */
  readonly hash: Uint8Array
}

/** @param prefix - `bitcoincash`, `bchtest` or `bchreg`. @returns The address with its prefix. */
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

/** Decodes an address with or without its prefix; null when it is none of this prefix. */
export function decodeCashAddress(prefix: string, text: string): CashAddress | null {
  if (text !== text.toLowerCase() && text !== text.toUpperCase()) return null
  const lower = text.toLowerCase()
  const body = lower.startsWith(`${prefix}:`) ? lower.slice(prefix.length + 1) : lower
  const digits = [...body].map((letter) => ALPHABET.indexOf(letter))
  if (digits.includes(-1) || digits.length <= CHECKSUM_DIGITS) return null
  if (polymod([...prefixDigits(prefix), ...digits]) !== 0n) return null
  const bytes = regroup(digits.slice(0, -CHECKSUM_DIGITS), 5, 8, false)
  if (bytes.length !== 21) return null
  const kind = bytes[0] === TYPE_BITS.p2pkh ? 'p2pkh' : bytes[0] === TYPE_BITS.p2sh ? 'p2sh' : null
  return kind === null ? null : { kind, hash: Uint8Array.from(bytes.slice(1)) }
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

/** Regroups bits; without `pad`, left-over bits must be zero padding, else the result is empty. */
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
