/** Checks a signed transaction by Bitcoin Cash's own rules, with the virtual machine of libauth. */

import { createVirtualMachineBCH, decodeTransactionBCH } from '@bitauth/libauth'
import { script as scripts } from 'bitcoinjs-lib'
import type { ParsedOutput, ParsedTransaction } from '../parse/parse-transaction.js'
import { SIGHASH_ALL_FORKID } from '../signature-rules.js'
import { scriptOfKey } from './script-of-key.js'

const COMPRESSED_KEY_BYTES = 33
/** Size of a Schnorr signature with its type. The signer's are ECDSA in DER, which is longer. */
const SCHNORR_BYTES = 65

/** Standard rules: what a node relays, not only what a block may hold. */
const machine = createVirtualMachineBCH(true)

/**
 * Returns the first input that does not carry exactly what its P2PKH output asks for: two plain pushes, an
 * ECDSA signature of SIGHASH_ALL|FORKID and the compressed key. `all` if the machine refuses the transaction.
 * `null` if all is well.
 */
export function findInvalidCashInput(
  bytes: Uint8Array,
  signed: ParsedTransaction,
  prevouts: readonly ParsedOutput[],
): number | 'all' | null {
  const strange = signed.inputs.findIndex((input, index) => {
    const prevout = prevouts[index]
    return !prevout || input.witness.length > 0 || !hasPlainSignature(input.scriptSig, prevout.script)
  })
  if (strange !== -1) return strange
  const transaction = decodeTransactionBCH(Uint8Array.from(bytes))
  if (typeof transaction === 'string') return 'all'
  const sourceOutputs = prevouts.map(({ script, amount }) => ({
    lockingBytecode: Uint8Array.from(script),
    valueSatoshis: amount,
  }))
  return machine.verify({ sourceOutputs, transaction }) === true ? null : 'all'
}

function hasPlainSignature(scriptSig: Uint8Array, script: Buffer): boolean {
  const chunks = scripts.decompile(scriptSig) ?? []
  const pushes = chunks.filter((chunk): chunk is Uint8Array => typeof chunk !== 'number')
  const [signature, publicKey] = pushes
  if (pushes.length !== 2 || chunks.length !== 2 || !signature || !publicKey) return false
  if (Buffer.compare(scripts.compile(pushes), scriptSig) !== 0) return false
  if (publicKey.length !== COMPRESSED_KEY_BYTES || signature.length === SCHNORR_BYTES) return false
  return signature.at(-1) === SIGHASH_ALL_FORKID && script.equals(scriptOfKey(publicKey, 'p2pkh'))
}
