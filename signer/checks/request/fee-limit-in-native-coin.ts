import { type Refusal, type RequestContext, refuse } from '../check.js'

/** The fee limit must be in the network's own coin, or it would limit nothing. */
export function feeLimitInNativeCoin(context: RequestContext): Refusal | null {
  const { coin } = context.request.intent.fee_limit
  if (coin === context.network?.native.coin) return null
  return refuse(
    'ASSET_MISMATCH',
    `The fee limit is in ${coin}, fees are paid in ${context.network?.native.coin}`,
  )
}
