import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** Versions 1 and 2 are standard; others may get rules that this signer does not know. */
export function transactionVersionAllowed(context: UtxoContext): Refusal | null {
  const { version } = context.utxo.psbt.transaction
  if (version === 1 || version === 2) return null
  return refuse('TRANSACTION_TYPE_NOT_ALLOWED', `Version ${version} is not allowed`)
}
