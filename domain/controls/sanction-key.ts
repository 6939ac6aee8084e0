/** Writes an address as the sanctions list has it, in every case and prefix of its source. */

/** Returns hex and single-case forms in lower case, without a CashAddr prefix. Base58 stays as it is, because its case matters. */
export function sanctionKey(address: string): string {
  const bare = address.trim().replace(/^[a-z]+:/i, '')
  const singleCase = bare === bare.toUpperCase()
  return /^0x[0-9a-f]{40}$/i.test(bare) || singleCase ? bare.toLowerCase() : bare
}
