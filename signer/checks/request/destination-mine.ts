import { assertNever } from '../../../domain/assert-never.js'
import { evmAddress } from '../../evm/evm-address.js'
import { addressScript } from '../../utxo/address-script.js'
import { keyScript } from '../../utxo/key-script.js'
import { sameScript } from '../../utxo/p2wpkh.js'
import { type Check, type RequestContext, refuse } from '../check.js'

/** The platform only hints at the path of a movement's destination; the address is derived again from the own seed. */
export const destinationMine: Check<RequestContext> = {
  name: 'destination-mine',
  purpose: 'pay',
  run(context) {
    const { movement, request } = context
    if (!movement || (movement.named && movement.kind !== 'gas_funding')) return null
    const strange = request.intent.outputs.find((output) => !isMine(context, output.address))
    return strange
      ? refuse('RECIPIENT_MISMATCH', `${strange.address} is not of this seed at ${request.destination_path}`)
      : null
  },
}

function isMine({ movement, network, state }: RequestContext, address: string): boolean {
  const path = movement?.path
  if (!path || path.length === 0 || !network) return false
  const key = state.keyring.at(path)
  switch (network.family) {
    case 'evm':
      return evmAddress(key.publicKey) === address.toLowerCase()
    case 'utxo':
      return sameScript(addressScript(address, network.address), keyScript(network.script, key.keyHash))
    default:
      return assertNever(network)
  }
}
