import { type Check, refuse, type UtxoContext } from '../check.js'

/** No other party signs here, so a PSBT that already carries a signature is refused. */
export const psbtUnsigned: Check<UtxoContext> = {
  name: 'psbt-unsigned',
  run(context) {
    const index = context.utxo.inputs.findIndex((input) => input.hasSignature)
    return index === -1 ? null : refuse('SIGNATURE_PRESENT', `Input ${index} carries a signature already`)
  },
}
