/** The names under which the journal counts what was spent. */

import type { Movement } from '../movement.js'

/** The names under which the journal counts what movements cost, and what gas funding gives away. */
export const budgetKeys = (caip2: string) => ({ fees: `${caip2}/movement-fees`, gas: `${caip2}/gas-funding` })

/** The name under which the journal counts the movements of a kind that it began with. */
export const countKey = (caip2: string, kind: Movement['kind']) => `${caip2}/movements/${kind}`

/** The name under which the journal counts the nonces that were filled though nothing was signed with them. */
export const fillingKey = (caip2: string) => `${caip2}/filling`

/** The name under which the journal counts what cancelling costs. */
export const cancelKey = (caip2: string) => `${caip2}/cancelling`

/** The name under which the journal counts an asset. */
export function assetKey(
  network: { readonly caip2: string },
  asset: { readonly contract: string | null },
): string {
  return `${network.caip2}/${asset.contract ?? 'native'}`
}
