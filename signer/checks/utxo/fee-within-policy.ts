import { type Check, refuse, type UtxoContext } from '../check.js'

/** The fee may be the policy's cap at most, also when people approved more. */
export const utxoFeeWithinPolicy: Check<UtxoContext> = {
  name: 'utxo-fee-within-policy',
  purpose: 'pay',
  run(context) {
    if (context.utxo.fee <= context.network.maxFee) return null
    return refuse(
      'FEE_TOO_HIGH',
      `The fee is ${context.utxo.fee}, the policy allows ${context.network.maxFee}`,
    )
  },
}
