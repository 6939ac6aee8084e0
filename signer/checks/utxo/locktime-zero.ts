import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** A locktime would make a payment that cannot be mined yet, so that it could be held back. */
export function locktimeZero(context: UtxoContext): Refusal | null {
  const { locktime } = context.utxo.psbt.transaction
  return locktime === 0 ? null : refuse('TRANSACTION_TYPE_NOT_ALLOWED', `Locktime ${locktime} is not allowed`)
}
