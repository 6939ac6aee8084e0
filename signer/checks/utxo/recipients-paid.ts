import { sameScript } from '../../utxo/p2wpkh.js'
import { type Check, refuse, type UtxoContext } from '../check.js'

/** Every output of the intent must be there, to the same script, with exactly its amount (less the fee where the recipient pays it). */
export const recipientsPaid: Check<UtxoContext> = {
  name: 'recipients-paid',
  purpose: 'pay',
  run(context) {
    const [missing] = context.utxo.missing
    if (!missing) return null
    const { outputs } = context.utxo.psbt.transaction
    return outputs.some((output) => sameScript(output.script, missing.script))
      ? refuse('AMOUNT_MISMATCH', `${missing.address} is not paid exactly what was approved`)
      : refuse('RECIPIENT_MISMATCH', `${missing.address} is not paid`)
  },
}
