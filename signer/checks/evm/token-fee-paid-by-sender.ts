import { type Check, type EvmContext, refuse } from '../check.js'

/** The fee of a token transfer is in another coin, so its recipient cannot pay it. */
export const tokenFeePaidBySender: Check<EvmContext> = {
  name: 'token-fee-paid-by-sender',
  purpose: 'pay',
  run(context) {
    if (context.asset.contract === null || context.request.intent.fee_payer === 'sender') return null
    return refuse('AMOUNT_MISMATCH', 'The recipient of a token cannot pay the fee in the own coin')
  },
}
