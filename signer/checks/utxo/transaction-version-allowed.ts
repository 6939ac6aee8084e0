import { type Check, refuse, type UtxoContext } from '../check.js'

/** Versions 1 and 2 are standard; others may get rules that this signer does not know. */
export const transactionVersionAllowed: Check<UtxoContext> = {
  name: 'transaction-version-allowed',
  run(context) {
    const { version } = context.utxo.psbt.transaction
    if (version === 1 || version === 2) return null
    return refuse('TRANSACTION_TYPE_NOT_ALLOWED', `Version ${version} is not allowed`)
  },
}
