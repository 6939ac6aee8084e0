import { type EvmContext, type Refusal, refuse } from '../check.js'

/** Gas times the highest price may cost the policy's cap at most. */
export function feeWithinPolicy(context: EvmContext): Refusal | null {
  if (context.maxFee <= context.network.maxFee) return null
  return refuse(
    'FEE_TOO_HIGH',
    `The fee may reach ${context.maxFee} wei, the policy allows ${context.network.maxFee}`,
  )
}
