import { isOwnOutput } from '../../utxo/utxo-facts.js'
import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** The PSBT only hints at the path of change; the script is derived again. */
export function changeMine(context: UtxoContext): Refusal | null {
  const strange = context.utxo.extra.find(
    (output) => !isOwnOutput(output, context.network.script, context.state.keyring),
  )
  return strange
    ? refuse('CHANGE_NOT_MINE', `Output ${strange.index} is neither approved nor of this seed`)
    : null
}
