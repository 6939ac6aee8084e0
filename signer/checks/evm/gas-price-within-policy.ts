import { type Check, type EvmContext, refuse } from '../check.js'

/** The price of gas may be the policy's at most. */
export const gasPriceWithinPolicy: Check<EvmContext> = {
  name: 'gas-price-within-policy',
  purpose: 'pay',
  run(context) {
    const price = BigInt(context.payload.max_fee_per_gas)
    if (price <= context.network.maxFeePerGas) return null
    return refuse(
      'FEE_TOO_HIGH',
      `Gas may cost ${price} wei, the policy allows ${context.network.maxFeePerGas}`,
    )
  },
}
