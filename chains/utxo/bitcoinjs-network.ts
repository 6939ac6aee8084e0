/** Translates a network's parameters for bitcoinjs-lib. */

import { initEccLib, type Network } from 'bitcoinjs-lib'
import * as ecc from 'tiny-secp256k1'
import type { UtxoNetwork } from '../../domain/chain/network.js'

// For Taproot recipients bitcoinjs-lib checks that the key in the address is on the curve.
initEccLib(ecc)

/**
 * Returns the parameters of a network in the form of bitcoinjs-lib. Private keys (`wif`) never come here.
 */
export function bitcoinjsNetwork(network: UtxoNetwork): Network {
  return {
    messagePrefix: '',
    bech32: network.address.bech32 ?? '',
    bip32: network.bip32,
    pubKeyHash: network.address.pubKeyHash,
    scriptHash: network.address.scriptHash,
    wif: 0,
  }
}
