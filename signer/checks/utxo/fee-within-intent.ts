import { type Check, refuse, type UtxoContext } from '../check.js'

/** The fee (inputs less outputs, from the parents) may be what people approved at most. */
export const utxoFeeWithinIntent: Check<UtxoContext> = {
  name: 'utxo-fee-within-intent',
  purpose: 'pay',
  run(context) {
    const limit = BigInt(context.request.intent.fee_limit.amount)
    if (context.utxo.fee <= limit) return null
    return refuse('FEE_TOO_HIGH', `The fee is ${context.utxo.fee}, the intent allows ${limit}`)
  },
}
