import { type Check, type PayloadContext, refuse } from '../check.js'
import { cost } from '../cost.js'

/**
 * One cancelling transaction may cost the policy's emergency cap at most; the fee limit of the intent does
 * not bind it.
 */
export const cancelFeeWithinPolicy: Check<PayloadContext> = {
  name: 'cancel-fee-within-policy',
  purpose: 'cancel',
  run(context) {
    const cap = context.network.cancel?.maxFee
    if (cap === undefined || cost(context) <= cap) return null
    return refuse('FEE_TOO_HIGH', `Cancelling may cost ${cost(context)}, the policy allows ${cap}`)
  },
}
