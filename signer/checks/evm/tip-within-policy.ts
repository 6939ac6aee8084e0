import { type Check, type EvmContext, refuse } from '../check.js'

/**
 * The tip goes to a block's builder, who may work for a hostile platform, so the tip has a cap of its own
 * below that of the price.
 */
export const tipWithinPolicy: Check<EvmContext> = {
  name: 'tip-within-policy',
  run({ payload, network }) {
    const tip = BigInt(payload.max_priority_fee_per_gas)
    if (tip <= network.maxPriorityFeePerGas) return null
    return refuse('FEE_TOO_HIGH', `The tip is ${tip} wei, the policy allows ${network.maxPriorityFeePerGas}`)
  },
}
