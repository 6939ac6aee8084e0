/** Checks the signature of an input. */

import { script as scripts, Transaction } from 'bitcoinjs-lib'
import { verify } from 'tiny-secp256k1'
import type { ParsedInput, ParsedOutput } from '../parse/parse-transaction.js'
import { scriptOfKey } from './script-of-key.js'

const COMPRESSED_KEY_BYTES = 33

/**
 * Returns whether an input carries exactly what its P2WPKH (BIP-143) or P2PKH output asks for: a signature
 * with sighash ALL, strict DER and low S (BIP-66, BIP-146), and the compressed key.
 */
export function isInputSigned(
  transaction: Transaction,
  index: number,
  input: ParsedInput,
  prevout: ParsedOutput,
): boolean {
  try {
    const witnessed = input.witness.length > 0
    const items = witnessed ? input.witness : pushesOf(input.scriptSig)
    const [signature, publicKey] = items
    if (items.length !== 2 || !signature || publicKey?.length !== COMPRESSED_KEY_BYTES) return false
    if (witnessed && input.scriptSig.length > 0) return false
    if (!prevout.script.equals(scriptOfKey(publicKey, witnessed ? 'p2wpkh' : 'p2pkh'))) return false
    const decoded = scripts.signature.decode(signature)
    if (decoded.hashType !== Transaction.SIGHASH_ALL) return false
    const hash = witnessed
      ? transaction.hashForWitnessV0(index, legacyScript(publicKey), prevout.amount, Transaction.SIGHASH_ALL)
      : transaction.hashForSignature(index, prevout.script, Transaction.SIGHASH_ALL)
    return verify(hash, publicKey, decoded.signature, true)
  } catch {
    // Malformed DER, or a key that is no point, means not signed.
    return false
  }
}

/** Returns BIP-143's scriptCode of a P2WPKH output: the P2PKH script of the same key. */
function legacyScript(publicKey: Uint8Array): Uint8Array {
  return scriptOfKey(publicKey, 'p2pkh')
}

function pushesOf(scriptSig: Buffer): Uint8Array[] {
  const chunks = scripts.decompile(scriptSig) ?? []
  const pushes = chunks.filter((chunk): chunk is Uint8Array => typeof chunk !== 'number')
  // Anything but plain, minimal pushes would change the txid's bytes without changing their meaning.
  return pushes.length === chunks.length && scriptSig.equals(scripts.compile(pushes)) ? pushes : []
}
