import { walletPlace } from '../../keys/path.js'
import { payingRoles } from '../../movement.js'
import { type Check, type EvmContext, refuse } from '../check.js'

/** Only receiving keys of wallets that may pay, within the index bound. */
export const payingPathAllowed: Check<EvmContext> = {
  name: 'paying-path-allowed',
  run(context) {
    const place = context.path && walletPlace(context.path, context.network.derivation)
    const allowed =
      place !== null &&
      place.branch === 0 &&
      payingRoles(context.movement, context.network).includes(place.role) &&
      place.index <= context.network.maxAddressIndex
    return allowed ? null : refuse('UNKNOWN_INPUT', `The path ${context.payload.derivation_path} may not pay`)
  },
}
