/**
 * The signed 64-bit key under which an address is found in a block: the first 8 of the payee's 20 bytes, which are
 * uniformly distributed already. Collisions are possible and harmless: hits are compared in full.
 *
 * @param payee - Lower-case hex of the 20 bytes (HASH160 or EVM address), without 0x.
 */
export function matchKey(payee: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${payee.slice(0, 16)}`))
}
