import { type Check, refuse, type UtxoContext } from '../check.js'

/** A lower sequence is a relative time lock (BIP-68) or hides a replacement. */
const LEAST_SEQUENCE = 0xffff_fffd

/** Every input must be replaceable (BIP-125) and have no time lock. */
export const sequencesAllowed: Check<UtxoContext> = {
  name: 'sequences-allowed',
  run(context) {
    const index = context.utxo.psbt.transaction.inputs.findIndex((input) => input.sequence < LEAST_SEQUENCE)
    return index === -1
      ? null
      : refuse('TRANSACTION_TYPE_NOT_ALLOWED', `The sequence of input ${index} is not allowed`)
  },
}
