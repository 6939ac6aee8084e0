/** Calculates what a payload costs. */

import { byFamily } from './by-family.js'
import type { PayloadContext } from './check.js'

/**
 * Returns the highest fee of a payload in base units of the native coin: inputs less outputs, or gas times
 * its highest price.
 */
export function cost(context: PayloadContext): bigint {
  return byFamily(context, { utxo: ({ utxo }) => utxo.fee, evm: ({ maxFee }) => maxFee })
}
