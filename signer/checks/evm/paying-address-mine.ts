import { evmAddress } from '../../evm/evm-address.js'
import { type Check, type EvmContext, refuse } from '../check.js'

/** The paying address must be the one that the own seed has at that path. */
export const payingAddressMine: Check<EvmContext> = {
  name: 'paying-address-mine',
  run(context) {
    const { keyring } = context.state
    const address = context.path && evmAddress(keyring.at(context.path).publicKey)
    if (address === context.payload.from.toLowerCase()) return null
    return refuse(
      'UNKNOWN_INPUT',
      `${context.payload.from} is not of this seed at ${context.payload.derivation_path}`,
    )
  },
}
