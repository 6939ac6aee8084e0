/** Normalises addresses in filters, so that every spelling finds the same rows. */

import { parseAddress } from '../../domain/address/parse-address.js'
import type { Networks } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'

/** Returns the address in canonical form for the first network that accepts it, or unchanged if none does. */
export function canonicalQuery(text: string | undefined, networks: Networks): string | undefined {
  if (text === undefined) return undefined
  for (const network of networks.values()) {
    try {
      return parseAddress(network, text).address
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error
    }
  }
  return text
}
