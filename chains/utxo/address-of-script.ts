/** Turns output scripts into addresses. */

import { address as addresses } from 'bitcoinjs-lib'
import { encodeCashAddress } from '../../domain/address/cashaddr.js'
import type { UtxoNetwork } from '../../domain/chain/network.js'

/**
 * Returns the address that an output script pays, in the network's own form. `null` for scripts without one.
 */
export function addressOfScript(script: Buffer, network: UtxoNetwork): string | null {
  const { bech32, cashaddr, pubKeyHash, scriptHash } = network.address
  if (script.length === 25 && script.readUIntBE(0, 3) === 0x76a914 && script.readUInt16BE(23) === 0x88ac) {
    const hash = script.subarray(3, 23)
    return cashaddr === null
      ? addresses.toBase58Check(hash, pubKeyHash)
      : encodeCashAddress(cashaddr, { kind: 'p2pkh', hash })
  }
  if (script.length === 23 && script.readUInt16BE(0) === 0xa914 && script[22] === 0x87) {
    const hash = script.subarray(2, 22)
    return cashaddr === null
      ? addresses.toBase58Check(hash, scriptHash)
      : encodeCashAddress(cashaddr, { kind: 'p2sh', hash })
  }
  // BIP-141: a witness program is OP_0 or OP_1 to OP_16, then one push of 2 to 40 bytes.
  const [opcode = 0, push = 0] = script
  const version = opcode === 0 ? 0 : opcode - 0x50
  const isWitness = (opcode === 0 || (opcode > 0x50 && opcode <= 0x60)) && push >= 2 && push <= 40
  if (bech32 === null || !isWitness || script.length !== push + 2) return null
  if (version === 0 && push !== 20 && push !== 32) return null
  return addresses.toBech32(script.subarray(2), version, bech32)
}
