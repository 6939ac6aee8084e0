/**
 * Returns the signed 64-bit key under which the watcher finds an address in a block: the first 8 of the
 * payee's 20 bytes, which are distributed uniformly. Collisions are possible and harmless, because the
 * watcher compares each hit in full.
 *
 * @param payee - Lower-case hex of the 20 bytes (HASH160 or EVM address), without 0x.
 */
export function matchKey(payee: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${payee.slice(0, 16)}`))
}
