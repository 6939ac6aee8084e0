/** Turns addresses into output scripts. */

import { address as addresses } from 'bitcoinjs-lib'
import { decodeCashAddress } from '../../domain/address/cashaddr.js'
import type { UtxoNetwork } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { bitcoinjsNetwork } from './bitcoinjs-network.js'

/**
 * Returns the output script of an address (BIP-173, BIP-350, Base58Check, CashAddr). @throws KeyturnError
 * `INVALID_ADDRESS`.
 */
export function scriptOfAddress(address: string, network: UtxoNetwork): Buffer {
  try {
    const { cashaddr } = network.address
    return cashaddr === null
      ? Buffer.from(addresses.toOutputScript(address, bitcoinjsNetwork(network)))
      : scriptOfCashAddress(address, cashaddr)
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

/** Accepts CashAddr only: a Base58 address there could be meant for Bitcoin. */
function scriptOfCashAddress(address: string, prefix: string): Buffer {
  const decoded = decodeCashAddress(prefix, address)
  if (!decoded) throw new Error('It is not an address of this prefix')
  return decoded.kind === 'p2pkh'
    ? Buffer.concat([Buffer.from('76a914', 'hex'), decoded.hash, Buffer.from('88ac', 'hex')])
    : Buffer.concat([Buffer.from('a914', 'hex'), decoded.hash, Buffer.from('87', 'hex')])
}
