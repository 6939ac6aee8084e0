import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** Nobody else signs here; a signature that is there already is not ours to complete. */
export function psbtUnsigned(context: UtxoContext): Refusal | null {
  const index = context.utxo.inputs.findIndex((input) => input.hasSignature)
  return index === -1 ? null : refuse('SIGNATURE_PRESENT', `Input ${index} carries a signature already`)
}
