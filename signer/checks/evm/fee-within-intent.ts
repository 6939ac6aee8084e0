import { type Check, type EvmContext, refuse } from '../check.js'

/** Gas times the highest price may cost what people approved at most. */
export const evmFeeWithinIntent: Check<EvmContext> = {
  name: 'evm-fee-within-intent',
  purpose: 'pay',
  run(context) {
    const limit = BigInt(context.request.intent.fee_limit.amount)
    if (context.maxFee <= limit) return null
    return refuse('FEE_TOO_HIGH', `The fee may reach ${context.maxFee} wei, the intent allows ${limit}`)
  },
}
