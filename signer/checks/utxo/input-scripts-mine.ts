import { keyScript } from '../../utxo/key-script.js'
import { sameScript } from '../../utxo/p2wpkh.js'
import { type Check, refuse, type UtxoContext } from '../check.js'

/** The script that is spent must be the one that the own seed has at that path. */
export const inputScriptsMine: Check<UtxoContext> = {
  name: 'input-scripts-mine',
  run(context) {
    const index = context.utxo.inputs.findIndex((input) => {
      const key = input.key()
      // A missing parent has a check of its own.
      if (!key) return true
      const own = keyScript(context.network.script, key.keyHash)
      return input.spent !== null && !sameScript(input.spent.script, own)
    })
    return index === -1 ? null : refuse('UNKNOWN_INPUT', `Input ${index} is not of this seed`)
  },
}
