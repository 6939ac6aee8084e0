/** Signs a checked P2WPKH transaction. The result has to be read back before it may leave. */

import { type InputKey, keyAt } from './input-key.js'
import { encodeDer, signLowR } from './low-r-signature.js'
import { spentInput, type UnreadUtxo } from './read-back-utxo.js'
import type { Transaction } from './read-transaction.js'
import { SIGHASH_ALL, segwitSighash } from './segwit-sighash.js'
import { compactSize, i32, u32 } from './write-integers.js'

/**
 * Signs every input with SIGHASH_ALL, low-S and low-R (as Bitcoin Core, so a signature is never longer than
 * estimated; RFC 6979, so the same transaction always gives the same bytes).
 */
export function signP2wpkh(transaction: Transaction, keys: readonly InputKey[]): UnreadUtxo {
  const digest = segwitSighash(transaction)
  const witnesses = transaction.inputs.flatMap((_, index) => {
    const { key, amount } = keyAt(keys, index)
    const signature = signLowR(digest(index, key.keyHash, amount), key.privateKey)
    const item = Buffer.concat([encodeDer(signature), Buffer.from([SIGHASH_ALL])])
    return [Buffer.from([2, item.length]), item, Buffer.from([key.publicKey.length]), key.publicKey]
  })
  const raw = Buffer.concat([
    i32(transaction.version),
    Buffer.from([0, 1]),
    compactSize(transaction.inputs.length),
    ...transaction.inputs.flatMap((input) => [input.outpointBytes, Buffer.from([0]), u32(input.sequence)]),
    compactSize(transaction.outputs.length),
    ...transaction.outputs.map((output) => output.bytes),
    ...witnesses,
    u32(transaction.locktime),
  ])
  return {
    family: 'utxo',
    script: 'p2wpkh',
    raw: raw.toString('hex'),
    hash: transaction.txid,
    unsignedTxid: transaction.txid,
    inputs: keys.map(spentInput),
  }
}
