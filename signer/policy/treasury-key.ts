/** How the policy compares treasury addresses. */

/** How addresses of the policy are compared: EVM addresses in every case, others exactly. */
export function treasuryKey(address: string): string {
  return address.startsWith('0x') ? address.toLowerCase() : address
}
