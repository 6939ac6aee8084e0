import { type Check, refuse, type UtxoContext } from '../check.js'

/** A field without a rule could change what is signed. */
export const psbtKnownFieldsOnly: Check<UtxoContext> = {
  name: 'psbt-known-fields-only',
  run(context) {
    const [unknown] = context.utxo.psbt.unknown
    return unknown === undefined
      ? null
      : refuse('MALFORMED', `The PSBT has a field that is not allowed: ${unknown}`)
  },
}
