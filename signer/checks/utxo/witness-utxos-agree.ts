import { sameScript } from '../../utxo/p2wpkh.js'
import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** What the PSBT claims to spend must be what the parent says; a lie is a reason to stop. */
export function witnessUtxosAgree(context: UtxoContext): Refusal | null {
  const index = context.utxo.inputs.findIndex(({ witnessUtxo, spent }) => {
    if (!witnessUtxo || !spent) return false
    return witnessUtxo.amount !== spent.amount || !sameScript(witnessUtxo.script, spent.script)
  })
  return index === -1
    ? null
    : refuse('AMOUNT_MISMATCH', `Input ${index} claims to spend something else than its parent has`)
}
