/** Compares treasury addresses of the policy. */

/** Returns the key under which an address is compared: EVM addresses in lower case, others unchanged. */
export function treasuryKey(address: string): string {
  return address.startsWith('0x') ? address.toLowerCase() : address
}
