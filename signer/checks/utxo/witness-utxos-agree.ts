import { sameScript } from '../../utxo/p2wpkh.js'
import { type Check, refuse, type UtxoContext } from '../check.js'

/** The output that the PSBT claims to spend must equal the one in the parent transaction. */
export const witnessUtxosAgree: Check<UtxoContext> = {
  name: 'witness-utxos-agree',
  run(context) {
    const index = context.utxo.inputs.findIndex(({ witnessUtxo, spent }) => {
      if (!witnessUtxo || !spent) return false
      return witnessUtxo.amount !== spent.amount || !sameScript(witnessUtxo.script, spent.script)
    })
    return index === -1
      ? null
      : refuse('AMOUNT_MISMATCH', `Input ${index} claims to spend another output than its parent has`)
  },
}
