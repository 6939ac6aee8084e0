import { walletPlace } from '../../keys/path.js'
import { payingRoles } from '../../movement.js'
import { type Check, refuse, type UtxoContext } from '../check.js'

/** Only keys of wallets that may pay, on branches that are in use, within the index bound. */
export const inputPathsAllowed: Check<UtxoContext> = {
  name: 'input-paths-allowed',
  run(context) {
    const index = context.utxo.inputs.findIndex((input) => !isAllowed(context, input.path))
    return index === -1
      ? null
      : refuse('UNKNOWN_INPUT', `The key of input ${index} is not at a path that may pay`)
  },
}

/** Branch 0 receives in every wallet, branch 1 takes change in the master wallet alone. */
function isAllowed({ network, movement }: UtxoContext, path: readonly number[] | null): boolean {
  const place = path && walletPlace(path, network.derivation)
  if (!place) return false
  const branchInUse = place.branch === 0 || (place.branch === 1 && place.role === 'master')
  return (
    branchInUse &&
    payingRoles(movement, network).includes(place.role) &&
    place.index <= network.maxAddressIndex
  )
}
