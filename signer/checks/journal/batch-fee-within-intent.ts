import { type Check, type PayloadContext, refuse } from '../check.js'
import { cost } from '../cost.js'

/**
 * All parts of a batch together may cost what people approved at most; of several attempts of one part, the
 * one with the highest fee counts.
 */
export const batchFeeWithinIntent: Check<PayloadContext> = {
  name: 'batch-fee-within-intent',
  purpose: 'pay',
  run(context) {
    const { request, state, record } = context
    if (request.items === null) return null
    const limit = BigInt(request.intent.fee_limit.amount)
    const fee = cost(context)
    const others = state.journal.records.fees(context.intentHash) - (record?.fee ?? 0n)
    if (others + fee <= limit) return null
    return refuse(
      'FEE_TOO_HIGH',
      `A fee of ${fee} after ${others} for other parts of the batch; the intent allows ${limit}`,
    )
  },
}
