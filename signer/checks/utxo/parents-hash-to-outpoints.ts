import { type Check, refuse, type UtxoContext } from '../check.js'

/** The parent must be the transaction that the outpoint names, or its amounts are worth nothing. */
export const parentsHashToOutpoints: Check<UtxoContext> = {
  name: 'parents-hash-to-outpoints',
  run(context) {
    const { transaction } = context.utxo.psbt
    const index = context.utxo.inputs.findIndex((input, at) => {
      return input.parent !== null && input.parent.txid !== transaction.inputs[at]?.txid
    })
    return index === -1
      ? null
      : refuse('UNKNOWN_INPUT', `The parent of input ${index} is another transaction`)
  },
}
