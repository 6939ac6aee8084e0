import { type Check, type EvmContext, refuse } from '../check.js'

/** The value must be what was approved; where the recipient pays the fee, less that fee at most. */
export const nativeAmountMatches: Check<EvmContext> = {
  name: 'native-amount-matches',
  purpose: 'pay',
  run(context) {
    if (context.asset.contract !== null) return null
    const value = BigInt(context.payload.value)
    const amount = BigInt(context.outputs[0]?.amount ?? '0')
    if (context.request.intent.fee_payer === 'sender') {
      return value === amount
        ? null
        : refuse('AMOUNT_MISMATCH', `The value is ${value}, approved is ${amount}`)
    }
    // The fee is known only once the transaction is mined, so value and highest cost together must not exceed what was
    // approved, and the recipient must not lose more than the limit that was approved.
    const limit = BigInt(context.request.intent.fee_limit.amount)
    if (value > 0n && value + context.maxFee <= amount && value >= amount - limit) return null
    return refuse(
      'AMOUNT_MISMATCH',
      `The value is ${value}, approved is ${amount} less a fee of at most ${limit}`,
    )
  },
}
