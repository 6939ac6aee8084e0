import { p2wpkhScript, sameScript } from '../../utxo/p2wpkh.js'
import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** The script that is spent must be the one that the own seed has at that path. */
export function inputScriptsMine(context: UtxoContext): Refusal | null {
  const index = context.utxo.inputs.findIndex((input) => {
    const key = input.key()
    // A missing parent has a check of its own.
    return !key || (input.spent !== null && !sameScript(input.spent.script, p2wpkhScript(key.keyHash)))
  })
  return index === -1 ? null : refuse('UNKNOWN_INPUT', `Input ${index} is not of this seed`)
}
