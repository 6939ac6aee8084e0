import { type Check, refuse, type UtxoContext } from '../check.js'

/** A recipient can pay the fee only where there is one. */
export const recipientFeeSingleOutput: Check<UtxoContext> = {
  name: 'recipient-fee-single-output',
  purpose: 'pay',
  run(context) {
    const { fee_payer, outputs } = context.request.intent
    if (fee_payer === 'sender' || outputs.length === 1) return null
    return refuse('OUTPUT_NOT_ALLOWED', 'Several recipients cannot pay one fee')
  },
}
