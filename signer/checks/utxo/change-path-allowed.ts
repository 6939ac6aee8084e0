import { walletPlace } from '../../keys/path.js'
import { type Check, refuse, type UtxoContext } from '../check.js'

/** Change goes to branch 1 of the master wallet, where it is found again from the seed. */
export const changePathAllowed: Check<UtxoContext> = {
  name: 'change-path-allowed',
  run(context) {
    const far = context.utxo.extra.find((output) => {
      const place = output.path && walletPlace(output.path, context.network.derivation)
      return place?.role !== 'master' || place.branch !== 1 || place.index > context.network.maxAddressIndex
    })
    return far
      ? refuse('CHANGE_NOT_MINE', `Output ${far.index} is neither approved nor at the path of change`)
      : null
  },
}
