/** Names the sums that the journal keeps for limits. */

import type { Movement } from '../movement.js'

/** Returns the names under which the journal counts the fees of movements, and the gas that is given. */
export const budgetKeys = (caip2: string) => ({ fees: `${caip2}/movement-fees`, gas: `${caip2}/gas-funding` })

/** Returns the name under which the journal counts the first payloads of a kind of movement. */
export const countKey = (caip2: string, kind: Movement['kind']) => `${caip2}/movements/${kind}`

/**
 * Returns the name under which the journal counts nonces that are filled although nothing was signed with
 * them.
 */
export const fillingKey = (caip2: string) => `${caip2}/filling`

/** Returns the name under which the journal counts the fees of cancellations. */
export const cancelKey = (caip2: string) => `${caip2}/cancelling`

/** Returns the name under which the journal counts payouts of an asset. */
export function assetKey(
  network: { readonly caip2: string },
  asset: { readonly contract: string | null },
): string {
  return `${network.caip2}/${asset.contract ?? 'native'}`
}
