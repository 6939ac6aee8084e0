/** Signs a checked P2PKH transaction of Bitcoin Cash. The result has to be read back before it may leave. */

import { type InputKey, keyAt } from './input-key.js'
import { SIGHASH_OF } from './key-script.js'
import { encodeDer, signLowR } from './low-r-signature.js'
import { spentInput, txidWithoutScripts, type UnreadUtxo } from './read-back-utxo.js'
import { hashOf, type Transaction } from './read-transaction.js'
import { segwitSighash } from './segwit-sighash.js'
import { compactSize, i32, u32 } from './write-integers.js'

const SIGHASH = SIGHASH_OF['p2pkh-forkid']

/** Signs every input with SIGHASH_ALL|FORKID, whose digest is BIP-143's with that type, low-S and low-R. */
export function signP2pkhForkId(transaction: Transaction, keys: readonly InputKey[]): UnreadUtxo {
  const digest = segwitSighash(transaction, SIGHASH)
  const raw = Buffer.concat([
    i32(transaction.version),
    compactSize(transaction.inputs.length),
    ...transaction.inputs.flatMap((input, index) => {
      const { key, amount } = keyAt(keys, index)
      const signature = signLowR(digest(index, key.keyHash, amount), key.privateKey)
      return [input.outpointBytes, unlock(signature, key.publicKey), u32(input.sequence)]
    }),
    compactSize(transaction.outputs.length),
    ...transaction.outputs.map((output) => output.bytes),
    u32(transaction.locktime),
  ])
  return {
    family: 'utxo',
    script: 'p2pkh-forkid',
    raw: raw.toString('hex'),
    hash: hashOf(raw),
    unsignedTxid: txidWithoutScripts(transaction),
    inputs: keys.map(spentInput),
  }
}

/** Returns the script with its length: the signature with its type and the key, each as a plain push. */
function unlock(signature: Uint8Array, publicKey: Uint8Array): Buffer {
  const item = Buffer.concat([encodeDer(signature), Buffer.from([SIGHASH])])
  const script = Buffer.concat([Buffer.from([item.length]), item, Buffer.from([publicKey.length]), publicKey])
  return Buffer.concat([compactSize(script.length), script])
}
