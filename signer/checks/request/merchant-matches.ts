import { type Check, type RequestContext, refuse } from '../check.js'

/** A signer serves only the merchant that its policy names. */
export const merchantMatches: Check<RequestContext> = {
  name: 'merchant-matches',
  run(context) {
    const { merchant } = context.request.intent
    if (merchant === context.policy.merchantId) return null
    return refuse('MERCHANT_MISMATCH', 'The intent is of another merchant')
  },
}
