import { SIGHASH_ALL } from '../../utxo/segwit-sighash.js'
import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** Any other type would let outputs be changed after signing. */
export function sighashAllOnly(context: UtxoContext): Refusal | null {
  const index = context.utxo.inputs.findIndex(
    (input) => input.sighash !== null && input.sighash !== SIGHASH_ALL,
  )
  return index === -1
    ? null
    : refuse('SIGHASH_NOT_ALLOWED', `Input ${index} asks for another type than SIGHASH_ALL`)
}
