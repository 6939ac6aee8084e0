import { address as addresses } from 'bitcoinjs-lib'
import { KeyturnError } from '../../domain/errors.js'
import type { UtxoNetwork } from '../../domain/network.js'
import { bitcoinjsNetwork } from './bitcoinjs-network.js'

/** The output script that pays an address (BIP-173, BIP-350, Base58Check). @throws KeyturnError `INVALID_ADDRESS`. */
export function scriptOfAddress(address: string, network: UtxoNetwork): Buffer {
  try {
    return Buffer.from(addresses.toOutputScript(address, bitcoinjsNetwork(network)))
  } catch (error) {
    throw new KeyturnError(
      'INVALID_ADDRESS',
      `"${address.slice(0, 100)}" is not an address of ${network.name}`,
      {
        details: { address: address.slice(0, 100), network: network.name },
        cause: error,
      },
    )
  }
}
