import { type EvmContext, type Refusal, refuse } from '../check.js'

/** The price of gas may be the policy's at most. */
export function gasPriceWithinPolicy(context: EvmContext): Refusal | null {
  const price = BigInt(context.payload.max_fee_per_gas)
  if (price <= context.network.maxFeePerGas) return null
  return refuse(
    'FEE_TOO_HIGH',
    `Gas may cost ${price} wei, the policy allows ${context.network.maxFeePerGas}`,
  )
}
