import { type EvmContext, type Refusal, refuse } from '../check.js'

/** Gas times the highest price may cost what people approved at most. */
export function feeWithinIntent(context: EvmContext): Refusal | null {
  const limit = BigInt(context.request.intent.fee_limit.amount)
  if (context.maxFee <= limit) return null
  return refuse('FEE_TOO_HIGH', `The fee may reach ${context.maxFee} wei, the intent allows ${limit}`)
}
