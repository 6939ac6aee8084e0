import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** A field without a rule could change what is signed. */
export function psbtKnownFieldsOnly(context: UtxoContext): Refusal | null {
  const [unknown] = context.utxo.psbt.unknown
  return unknown === undefined
    ? null
    : refuse('MALFORMED', `The PSBT has a field that is not allowed: ${unknown}`)
}
