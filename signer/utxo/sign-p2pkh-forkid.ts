/** Signs a checked P2PKH transaction of Bitcoin Cash and reads the result back before it may leave. */

import * as ecc from 'tiny-secp256k1'
import { SIGHASH_OF } from './key-script.js'
import { encodeDer, signLowR } from './low-r-signature.js'
import { readTransaction, type Transaction } from './read-transaction.js'
import { segwitSighash } from './segwit-sighash.js'
import type { InputKey, SignedUtxoTransaction } from './sign-p2wpkh.js'
import { compactSize, i32, u32 } from './write-integers.js'

const SIGHASH = SIGHASH_OF['p2pkh-forkid']

/**
 * Signs every input with SIGHASH_ALL|FORKID, whose digest is BIP-143's with that type, low-S and low-R. Then
 * it parses the raw bytes again, compares every field with the checked transaction and verifies each
 * signature.
 *
 * @throws Error when the result differs from the checked transaction.
 */
export function signP2pkhForkId(transaction: Transaction, keys: readonly InputKey[]): SignedUtxoTransaction {
  const digest = segwitSighash(transaction, SIGHASH)
  const scripts = transaction.inputs.map((_, index) => {
    const { key, amount } = keyAt(keys, index)
    return unlock(signLowR(digest(index, key.keyHash, amount), key.privateKey), key.publicKey)
  })
  const raw = Buffer.concat([
    i32(transaction.version),
    compactSize(transaction.inputs.length),
    ...transaction.inputs.flatMap((input, index) => [
      input.outpointBytes,
      scripts[index] ?? Buffer.alloc(0),
      u32(input.sequence),
    ]),
    compactSize(transaction.outputs.length),
    ...transaction.outputs.map((output) => output.bytes),
    u32(transaction.locktime),
  ])
  return { raw: raw.toString('hex'), hash: readBack(raw, transaction, keys).txid }
}

/** Returns the script with its length: the signature with its type and the key, each as a plain push. */
function unlock(signature: Uint8Array, publicKey: Uint8Array): Buffer {
  const item = Buffer.concat([encodeDer(signature), Buffer.from([SIGHASH])])
  const script = Buffer.concat([Buffer.from([item.length]), item, Buffer.from([publicKey.length]), publicKey])
  return Buffer.concat([compactSize(script.length), script])
}

function readBack(raw: Buffer, expected: Transaction, keys: readonly InputKey[]): Transaction {
  const read = readTransaction(raw, 'stripped')
  const same =
    read.version === expected.version &&
    read.locktime === expected.locktime &&
    read.inputs.length === expected.inputs.length &&
    read.outputs.length === expected.outputs.length &&
    read.inputs.every((input, index) => {
      const other = expected.inputs[index]
      return (
        other !== undefined &&
        Buffer.compare(input.outpointBytes, other.outpointBytes) === 0 &&
        input.sequence === other.sequence
      )
    }) &&
    read.outputs.every((output, index) => {
      const other = expected.outputs[index]
      return other !== undefined && Buffer.compare(output.bytes, other.bytes) === 0
    })
  if (!same) throw new Error('The signed transaction differs from what was checked')
  const digest = segwitSighash(read, SIGHASH)
  read.inputs.forEach((input, index) => {
    const { key, amount } = keyAt(keys, index)
    // The length of a DER signature is in its second byte. Its type follows.
    const signature = fromDer(input.scriptSig.subarray(1, 1 + (input.scriptSig[0] ?? 0) - 1))
    if (!ecc.verify(digest(index, key.keyHash, amount), key.point, signature, true)) {
      throw new Error(`The signature of input ${index} does not verify`)
    }
  })
  return read
}

/** Returns the compact form of a DER signature that this signer made. */
function fromDer(der: Uint8Array): Uint8Array {
  const compact = Buffer.alloc(64)
  let at = 2
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0
    const number = Buffer.from(der.subarray(at + 2, at + 2 + length))
    const digits = number.subarray(number[0] === 0 ? 1 : 0)
    digits.copy(compact, end - digits.length)
    at += 2 + length
  }
  return compact
}

function keyAt(keys: readonly InputKey[], index: number): InputKey {
  const key = keys[index]
  if (!key) throw new Error(`Input ${index} has no key`)
  return key
}
