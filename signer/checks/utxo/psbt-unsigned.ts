import { type Check, refuse, type UtxoContext } from '../check.js'

/** Nobody else signs here; a signature that is there already is not ours to complete. */
export const psbtUnsigned: Check<UtxoContext> = {
  name: 'psbt-unsigned',
  run(context) {
    const index = context.utxo.inputs.findIndex((input) => input.hasSignature)
    return index === -1 ? null : refuse('SIGNATURE_PRESENT', `Input ${index} carries a signature already`)
  },
}
