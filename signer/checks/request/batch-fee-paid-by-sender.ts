import { type Check, type RequestContext, refuse } from '../check.js'

/** The fee limit is the whole batch's: no single recipient may be made to bear it. */
export const batchFeePaidBySender: Check<RequestContext> = {
  name: 'batch-fee-paid-by-sender',
  purpose: 'pay',
  run(context) {
    const { kind, fee_payer } = context.request.intent
    if (kind !== 'batch' || fee_payer === 'sender') return null
    return refuse('AMOUNT_MISMATCH', 'The recipients of a batch cannot pay its fees')
  },
}
