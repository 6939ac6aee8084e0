/** Reads from an address of the Bitcoin family which script it pays, without knowing its network. */

import { address as codec } from 'bitcoinjs-lib'
import { decodeCashAddress } from '../../domain/address/cashaddr.js'

/** Returns the locking script in lower-case hex. @throws Error for a text that is no address. */
export function scriptOfAddress(text: string): string {
  const colon = text.indexOf(':')
  if (colon > 0) {
    const decoded = decodeCashAddress(text, text.slice(0, colon))
    if (decoded?.kind !== 'p2pkh') throw new Error(`${text} is no address of a key`)
    return keyHashScript(decoded.hash)
  }
  try {
    const { version, data } = codec.fromBech32(text)
    if (version !== 0 || data.length !== 20) throw new Error(`${text} is no address of a key`)
    return `0014${Buffer.from(data).toString('hex')}`
  } catch {
    return keyHashScript(codec.fromBase58Check(text).hash)
  }
}

function keyHashScript(hash: Uint8Array): string {
  return `76a914${Buffer.from(hash).toString('hex')}88ac`
}
