/** Reads the payee of an output script. */

import type { UtxoNetwork } from '../../../domain/chain/network.js'

/**
 * Returns the payee of an output that could be own: P2WPKH, or P2PKH if the network has no SegWit. `null` for
 * others. The other template never counts, because coin selection could not spend an output with the same key
 * hash behind it.
 *
 * @returns Lower-case hex of the key's HASH160.
 */
export function payeeOfScript(script: Buffer, kind: UtxoNetwork['script']): string | null {
  if (kind === 'p2wpkh') {
    return script.length === 22 && script[0] === 0x00 && script[1] === 0x14 ? script.toString('hex', 2) : null
  }
  const isP2pkh =
    script.length === 25 &&
    script[0] === 0x76 &&
    script[1] === 0xa9 &&
    script[2] === 0x14 &&
    script[23] === 0x88 &&
    script[24] === 0xac
  return isP2pkh ? script.toString('hex', 3, 23) : null
}
