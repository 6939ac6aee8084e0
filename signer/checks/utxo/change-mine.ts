import { isOwnOutput } from '../../utxo/utxo-facts.js'
import { type Check, refuse, type UtxoContext } from '../check.js'

/** The PSBT only hints at the path of change; the script is derived again. */
export const changeMine: Check<UtxoContext> = {
  name: 'change-mine',
  run(context) {
    const strange = context.utxo.extra.find(
      (output) => !isOwnOutput(output, context.network.script, context.state.keyring),
    )
    return strange
      ? refuse('CHANGE_NOT_MINE', `Output ${strange.index} is neither approved nor of this seed`)
      : null
  },
}
