import { type Check, refuse, type UtxoContext } from '../check.js'

/** The fee a virtual byte may be the policy's at most. */
export const feeRateWithinPolicy: Check<UtxoContext> = {
  name: 'fee-rate-within-policy',
  purpose: 'pay',
  run(context) {
    const rate = Number(context.utxo.fee) / context.utxo.vsize
    if (rate <= context.network.maxFeeRate) return null
    return refuse(
      'FEE_TOO_HIGH',
      `The fee rate is ${rate.toFixed(1)} sat/vB, the policy allows ${context.network.maxFeeRate}`,
    )
  },
}
