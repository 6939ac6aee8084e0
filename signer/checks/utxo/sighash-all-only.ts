import { SIGHASH_OF } from '../../utxo/key-script.js'
import { type Check, refuse, type UtxoContext } from '../check.js'

/**
 * Any other signature type would let outputs be changed after signing. On Bitcoin Cash the type must be
 * written, with FORKID: without it the request is meant for another chain, or for a signer that would sign
 * by another chain's rules.
 */
export const sighashAllOnly: Check<UtxoContext> = {
  name: 'sighash-all-only',
  run(context) {
    const { script } = context.network
    const index = context.utxo.inputs.findIndex(({ sighash }) => {
      if (sighash === null) return script !== 'p2wpkh'
      return sighash !== SIGHASH_OF[script]
    })
    if (index === -1) return null
    const wanted = script === 'p2wpkh' ? 'SIGHASH_ALL' : 'SIGHASH_ALL|FORKID'
    return refuse('SIGHASH_NOT_ALLOWED', `Input ${index} asks for another type than ${wanted}`)
  },
}
