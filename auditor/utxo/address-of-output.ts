/** Writes the address that an output pays, in the form in which the platform issued it. */

import { address } from 'bitcoinjs-lib'
import { encodeCashAddress } from '../../domain/address/cashaddr.js'
import type { UtxoNetwork } from '../../domain/chain/network.js'

const WITNESS_KEY_HASH = /^0014([0-9a-f]{40})$/
const KEY_HASH = /^76a914([0-9a-f]{40})88ac$/

/**
 * Returns the address of a locking script. `null` if no issued address has such a script: an output to the other form
 * of a key cannot be spent by the platform.
 *
 * It goes from the script to the text, and the watcher from the text to a key. So a wrong key in the books shows.
 */
export function addressOfOutput(network: UtxoNetwork, script: string): string | null {
  const { bech32, cashaddr, pubKeyHash } = network.address
  const [, found] = (network.script === 'p2wpkh' ? WITNESS_KEY_HASH : KEY_HASH).exec(script) ?? []
  if (found === undefined) return null
  const hash = Buffer.from(found, 'hex')
  if (network.script === 'p2wpkh') return address.toBech32(hash, 0, bech32 ?? '')
  if (cashaddr !== null) return encodeCashAddress(cashaddr, { kind: 'p2pkh', hash })
  return address.toBase58Check(hash, pubKeyHash)
}
