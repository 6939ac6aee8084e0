/** Reads a signed Bitcoin-like transaction back and compares it with what was checked. */

import * as ecc from 'tiny-secp256k1'
import { ByteReader } from './byte-reader.js'
import type { InputKey } from './input-key.js'
import { type KeyScriptKind, SIGHASH_OF } from './key-script.js'
import { decodeDer } from './low-r-signature.js'
import { hashOf, readTransaction, type Transaction, type TransactionInput } from './read-transaction.js'
import { segwitSighash } from './segwit-sighash.js'
import { compactSize, i32, u32 } from './write-integers.js'

/** An input that was signed. */
interface SpentInput {
  /** Compressed public key. */
  readonly publicKey: Uint8Array
  /** Uncompressed public key, 65 bytes. Verifying with it saves the square root. */
  readonly point: Uint8Array
  /** HASH160 of the compressed public key. */
  readonly keyHash: Uint8Array
  /** Amount that it spends, from its parent. */
  readonly amount: bigint
}

/** A signed transaction that was not read back yet. It holds no secret. */
export interface UnreadUtxo {
  readonly family: 'utxo'
  readonly script: KeyScriptKind
  /** Signed transaction in lower-case hex. */
  readonly raw: string
  /** Its id. */
  readonly hash: string
  /** Id of the transaction that the checks saw. It covers every field but the signatures. */
  readonly unsignedTxid: string
  readonly inputs: readonly SpentInput[]
}

/** Returns what is read back of an input. The private key is left out. */
export function spentInput({ key, amount }: InputKey): SpentInput {
  const { publicKey, point, keyHash } = key
  return { publicKey, point, keyHash, amount }
}

/**
 * Parses the raw bytes, compares every field with the checked transaction, and verifies each signature over
 * the fields that were read.
 *
 * @throws Error when the bytes differ from the checked transaction.
 */
export function readBackUtxo({ script, raw, hash, unsignedTxid, inputs }: UnreadUtxo): void {
  const bytes = Buffer.from(raw, 'hex')
  if (bytes.toString('hex') !== raw) throw differs()
  const read = readTransaction(bytes, script === 'p2wpkh' ? 'either' : 'stripped')
  const withoutSignatures = script === 'p2wpkh' ? read.txid : txidWithoutScripts(read)
  if (read.txid !== hash || withoutSignatures !== unsignedTxid || read.inputs.length !== inputs.length)
    throw differs()
  const digest = segwitSighash(read, SIGHASH_OF[script])
  for (const [index, input] of read.inputs.entries()) {
    const own = inputs[index]
    const signature = own && signatureOf(input, script, own.publicKey)
    if (!signature || !ecc.verify(digest(index, own.keyHash, own.amount), own.point, signature, true)) {
      throw new Error(`The signature of input ${index} does not verify`)
    }
  }
}

/**
 * Returns the signature of an input in compact form. `null` unless the input is unlocked by exactly one
 * signature of the right type and the own key.
 */
function signatureOf(input: TransactionInput, kind: KeyScriptKind, own: Uint8Array): Uint8Array | null {
  const [item, key, more] = kind === 'p2wpkh' ? input.witness : pushesOf(input.scriptSig)
  if (!item || !key || more || Buffer.compare(key, own) !== 0) return null
  return item.at(-1) === SIGHASH_OF[kind] ? decodeDer(item.subarray(0, -1)) : null
}

/** Returns the items that a script pushes, each by one byte of its length. */
function pushesOf(script: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(script)
  const items: Uint8Array[] = []
  while (!reader.atEnd) items.push(reader.take(reader.u8()))
  return items
}

/** Returns the id that a transaction had before its inputs got their scripts. */
export function txidWithoutScripts({ version, inputs, outputs, locktime }: Transaction): string {
  return hashOf(
    i32(version),
    compactSize(inputs.length),
    ...inputs.flatMap((input) => [input.outpointBytes, compactSize(0), u32(input.sequence)]),
    compactSize(outputs.length),
    ...outputs.map((output) => output.bytes),
    u32(locktime),
  )
}

function differs(): Error {
  return new Error('The signed transaction differs from what was checked')
}
