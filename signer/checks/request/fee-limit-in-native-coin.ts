import { type Check, type RequestContext, refuse } from '../check.js'

/** The fee limit must be in the network's own coin, or it would limit nothing. */
export const feeLimitInNativeCoin: Check<RequestContext> = {
  name: 'fee-limit-in-native-coin',
  purpose: 'pay',
  run(context) {
    const { coin } = context.request.intent.fee_limit
    if (coin === context.network?.native.coin) return null
    return refuse(
      'ASSET_MISMATCH',
      `The fee limit is in ${coin}, fees are paid in ${context.network?.native.coin}`,
    )
  },
}
