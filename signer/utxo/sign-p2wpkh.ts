/** Signs a checked P2WPKH transaction and reads the result back before it may leave. */

import * as ecc from 'tiny-secp256k1'
import type { LeafKey } from '../keys/keyring.js'
import { encodeDer, signLowR } from './low-r-signature.js'
import { readTransaction, type Transaction } from './read-transaction.js'
import { SIGHASH_ALL, segwitSighash } from './segwit-sighash.js'
import { compactSize, i32, u32 } from './write-integers.js'

/** Key that an input needs, and the amount that it spends, from its parent. */
export interface InputKey {
  readonly key: LeafKey
  readonly amount: bigint
}

/** A signed transaction in lower-case hex, and its txid. */
export interface SignedUtxoTransaction {
  readonly raw: string
  readonly hash: string
}

/**
 * Signs every input with SIGHASH_ALL, low-S and low-R (as Bitcoin Core, so a signature is never longer than
 * estimated; RFC 6979, so the same transaction always gives the same bytes). Then it parses the raw bytes
 * again, compares them with the checked transaction and verifies each signature.
 *
 * @throws Error when the result differs from the checked transaction.
 */
export function signP2wpkh(transaction: Transaction, keys: readonly InputKey[]): SignedUtxoTransaction {
  const digest = segwitSighash(transaction)
  const signatures = transaction.inputs.map((_, index) => {
    const { key, amount } = keyAt(keys, index)
    return signLowR(digest(index, key.keyHash, amount), key.privateKey)
  })
  const raw = serialize(transaction, keys, signatures)
  verify(raw, transaction, keys, signatures)
  return { raw: raw.toString('hex'), hash: transaction.txid }
}

function serialize(
  transaction: Transaction,
  keys: readonly InputKey[],
  signatures: readonly Uint8Array[],
): Buffer {
  const inputs = transaction.inputs.flatMap((input) => [
    input.outpointBytes,
    Buffer.from([0]),
    u32(input.sequence),
  ])
  const witnesses = signatures.flatMap((signature, index) => {
    const item = Buffer.concat([encodeDer(signature), Buffer.from([SIGHASH_ALL])])
    const { publicKey } = keyAt(keys, index).key
    return [Buffer.from([2, item.length]), item, Buffer.from([publicKey.length]), publicKey]
  })
  return Buffer.concat([
    i32(transaction.version),
    Buffer.from([0, 1]),
    compactSize(transaction.inputs.length),
    ...inputs,
    compactSize(transaction.outputs.length),
    ...transaction.outputs.map((output) => output.bytes),
    ...witnesses,
    u32(transaction.locktime),
  ])
}

function verify(
  raw: Buffer,
  expected: Transaction,
  keys: readonly InputKey[],
  signatures: readonly Uint8Array[],
): void {
  const read = readTransaction(raw, 'either')
  // The txid covers every field but the witnesses.
  if (read.txid !== expected.txid) throw new Error('The signed transaction differs from what was checked')
  const digest = segwitSighash(read)
  read.inputs.forEach((input, index) => {
    const { key, amount } = keyAt(keys, index)
    const signature = signatures[index] ?? new Uint8Array(64)
    const item = Buffer.concat([encodeDer(signature), Buffer.from([SIGHASH_ALL])])
    const [first, second] = input.witness
    const sameWitness =
      input.witness.length === 2 &&
      first !== undefined &&
      second !== undefined &&
      item.equals(first) &&
      Buffer.compare(second, key.publicKey) === 0
    if (!sameWitness || !ecc.verify(digest(index, key.keyHash, amount), key.point, signature, true)) {
      throw new Error(`The signature of input ${index} does not verify`)
    }
  })
}

function keyAt(keys: readonly InputKey[], index: number): InputKey {
  const key = keys[index]
  if (!key) throw new Error(`Input ${index} has no key`)
  return key
}
