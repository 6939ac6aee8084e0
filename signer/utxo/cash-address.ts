/** Reads and writes Bitcoin Cash's CashAddr with the signer's own code, independent of the platform's. */

const LETTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const GENERATORS = [0x98f2bc8e61n, 0x79b76d99e2n, 0xf33e5fb3c4n, 0xae2eabe2a8n, 0x1e4f43e470n] as const
/**
 * Digits of the payload: a version byte and 20 bytes of hash in 5-bit digits, with two bits of padding. 8
 * digits of checksum follow.
 */
const PAYLOAD_DIGITS = 34
const CHECKSUM_DIGITS = 8
const VERSION_P2PKH = 0
const VERSION_P2SH = 8

/**
 * Returns the script that pays to an address.
 *
 * @throws Error when the text is not the canonical P2PKH or P2SH address of this prefix.
 */
export function cashAddressScript(address: string, prefix: string): Uint8Array {
  const [head, body = ''] = address.split(':')
  if (head !== prefix || address !== `${prefix}:${body}`) throw new Error(`The address lacks ${prefix}:`)
  const digits = Array.from(body, (letter) => LETTERS.indexOf(letter))
  if (digits.length !== PAYLOAD_DIGITS + CHECKSUM_DIGITS || digits.includes(-1)) {
    throw new Error('The address is not a cashaddr of 20 bytes')
  }
  if (checksum(prefix, digits) !== 0n) throw new Error('The checksum of the address is wrong')
  const payload = digits.slice(0, PAYLOAD_DIGITS).reduce((sum, digit) => (sum << 5n) | BigInt(digit), 0n)
  if ((payload & 3n) !== 0n) throw new Error('The padding of the address is not zero')
  const bytes = Buffer.from((payload >> 2n).toString(16).padStart(42, '0'), 'hex')
  const hash = bytes.subarray(1)
  if (bytes[0] === VERSION_P2PKH)
    return Buffer.concat([Buffer.from([0x76, 0xa9, 0x14]), hash, Buffer.from([0x88, 0xac])])
  if (bytes[0] === VERSION_P2SH) return Buffer.concat([Buffer.from([0xa9, 0x14]), hash, Buffer.from([0x87])])
  throw new Error('The type of the address is not known')
}

/** Returns the P2PKH address of the HASH160 of a key, with its prefix. */
export function cashAddress(keyHash: Uint8Array, prefix: string): string {
  let payload = BigInt(`0x${Buffer.from([VERSION_P2PKH, ...keyHash]).toString('hex')}`) << 2n
  const digits = new Array<number>(PAYLOAD_DIGITS)
  for (let i = PAYLOAD_DIGITS - 1; i >= 0; i--) {
    digits[i] = Number(payload & 31n)
    payload >>= 5n
  }
  const rest = checksum(prefix, [...digits, ...new Array<number>(CHECKSUM_DIGITS).fill(0)])
  for (let i = CHECKSUM_DIGITS - 1; i >= 0; i--) digits.push(Number((rest >> BigInt(5 * i)) & 31n))
  return `${prefix}:${digits.map((digit) => LETTERS[digit]).join('')}`
}

/**
 * Returns the remainder of the specification's polynomial over prefix, separator and digits. It is 0 where
 * the checksum is right.
 */
function checksum(prefix: string, digits: readonly number[]): bigint {
  let state = 1n
  for (const digit of [...Array.from(prefix, (letter) => letter.charCodeAt(0) & 31), 0, ...digits]) {
    const top = Number(state >> 35n)
    state = ((state & 0x7_ffff_ffffn) << 5n) ^ BigInt(digit)
    for (const [bit, generator] of GENERATORS.entries()) if ((top >> bit) & 1) state ^= generator
  }
  return state ^ 1n
}
