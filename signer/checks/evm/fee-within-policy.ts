import { type Check, type EvmContext, refuse } from '../check.js'

/** Gas times the highest price may cost the policy's cap at most. */
export const evmFeeWithinPolicy: Check<EvmContext> = {
  name: 'evm-fee-within-policy',
  purpose: 'pay',
  run(context) {
    if (context.maxFee <= context.network.maxFee) return null
    return refuse(
      'FEE_TOO_HIGH',
      `The fee may reach ${context.maxFee} wei, the policy allows ${context.network.maxFee}`,
    )
  },
}
