/**
 * Refuses Ed25519 public keys that must not be registered: with a key of small order, anyone can make
 * signatures that verify.
 */

const SIZE = 32
const FIELD = 2n ** 255n - 19n
/** Constant of Ed25519's curve (RFC 8032): -121665/121666. */
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
const Y_BITS = (1n << 255n) - 1n

/**
 * The y coordinates, in hex as they are encoded, of the points whose order divides 8: 1, 2, 4 and 8, without
 * the sign of x. They are libsodium's list of `ge25519_has_small_order` without the encodings that are not
 * canonical.
 */
const SMALL_ORDER: ReadonlySet<bigint> = new Set(
  [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ].map((hex) => littleEndian(Buffer.from(hex, 'hex'))),
)

/**
 * Returns why 32 bytes may not be a public key. `null` if they may.
 *
 * @param raw - Key in the encoding of RFC 8032. A second encoding of one point would make one key look like
 * two.
 */
export function refuseEd25519Key(raw: Uint8Array): string | null {
  if (raw.length !== SIZE) return `has ${raw.length} bytes, not ${SIZE}`
  const y = littleEndian(raw) & Y_BITS
  if (y >= FIELD) return 'is not encoded canonically'
  if (SMALL_ORDER.has(y)) return 'is of small order, so that anybody could sign for it'
  return null
}

/**
 * Also refuses bytes that are no point of the curve. They must not be pinned, because no signature would ever
 * verify.
 */
export function refuseEd25519Point(raw: Uint8Array): string | null {
  const reason = refuseEd25519Key(raw)
  if (reason !== null) return reason
  return isOnCurve(littleEndian(raw) & Y_BITS) ? null : 'is no point of the curve'
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

/**
 * Returns whether x² = (y² - 1) / (d·y² + 1) of -x² + y² = 1 + d·x²·y² is a square. A quotient is one exactly
 * when the product is, and the denominator is never 0. If x itself is 0, the point is of small order.
 */
function isOnCurve(y: bigint): boolean {
  const square = (y * y) % FIELD
  const product = ((square - 1n + FIELD) * (D * square + 1n)) % FIELD
  return power(product, (FIELD - 1n) / 2n) === 1n
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = base % FIELD
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % FIELD
    square = (square * square) % FIELD
  }
  return result
}
