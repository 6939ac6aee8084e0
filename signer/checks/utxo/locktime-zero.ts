import { type Check, refuse, type UtxoContext } from '../check.js'

/** A locktime would make a transaction that cannot be mined yet, so that it could be held back. */
export const locktimeZero: Check<UtxoContext> = {
  name: 'locktime-zero',
  run(context) {
    const { locktime } = context.utxo.psbt.transaction
    return locktime === 0
      ? null
      : refuse('TRANSACTION_TYPE_NOT_ALLOWED', `Locktime ${locktime} is not allowed`)
  },
}
