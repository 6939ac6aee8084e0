/** Addresses in filters: found in whatever spelling they were sent. */

import { parseAddress } from '../../domain/address/parse-address.js'
import type { Networks } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'

/** The canonical form of an address on the first network whose it is; as sent where it is nobody's. */
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
