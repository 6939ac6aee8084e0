/** How an address is written in the list of sanctioned ones, whatever case or prefix its source used. */

/** Hex and single-case forms in lower case, without a cashaddr prefix; base58 as it is, since its case matters. */
export function sanctionKey(address: string): string {
  const bare = address.trim().replace(/^[a-z]+:/i, '')
  const singleCase = bare === bare.toUpperCase()
  return /^0x[0-9a-f]{40}$/i.test(bare) || singleCase ? bare.toLowerCase() : bare
}
