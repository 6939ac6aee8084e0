import { type Check, type EvmContext, refuse } from '../check.js'

/** A tip above the highest price is not a valid EIP-1559 transaction. */
export const tipWithinPrice: Check<EvmContext> = {
  name: 'tip-within-price',
  run(context) {
    if (BigInt(context.payload.max_priority_fee_per_gas) <= BigInt(context.payload.max_fee_per_gas))
      return null
    return refuse('FEE_TOO_HIGH', 'The tip is higher than the highest price of gas')
  },
}
