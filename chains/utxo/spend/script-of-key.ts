/** Makes the output script of a public key. */

import { crypto } from 'bitcoinjs-lib'
import type { UtxoNetwork } from '../../../domain/chain/network.js'

/**
 * Returns the output script that a compressed public key can spend, of the network's own kind (BIP-141
 * P2WPKH, or P2PKH).
 */
export function scriptOfKey(publicKey: Uint8Array, kind: UtxoNetwork['script']): Buffer {
  const hash = crypto.hash160(publicKey)
  return kind === 'p2wpkh'
    ? Buffer.concat([Buffer.from([0x00, 0x14]), hash])
    : Buffer.concat([Buffer.from([0x76, 0xa9, 0x14]), hash, Buffer.from([0x88, 0xac])])
}
