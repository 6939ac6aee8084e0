/** Parses a PSBT v0 (BIP-174) strictly. It lists unknown fields, so that a check can refuse them. */

import { MAX_OUTPUTS, MAX_PAYLOAD_INPUTS } from '../../domain/signing/signer-protocol.js'
import { ByteReader } from './byte-reader.js'
import { type ParentTransaction, readParent } from './read-parent.js'
import { readTransaction, type Transaction, type TransactionOutput } from './read-transaction.js'

/** Origin of a key, as the sender claims. It is only a hint: scripts are derived again from the seed. */
export interface KeyOrigin {
  readonly publicKey: Uint8Array
  /** Master fingerprint in lower-case hex. */
  readonly fingerprint: string
  readonly path: readonly number[]
}

export interface PsbtInput {
  /** Parent transaction, with the output that this input spends. */
  readonly parent: ParentTransaction | null
  readonly witnessUtxo: Pick<TransactionOutput, 'amount' | 'script'> | null
  readonly sighash: number | null
  /** Whether the input carries a partial or final signature. */
  readonly hasSignature: boolean
  readonly origins: readonly KeyOrigin[]
}

export interface Psbt {
  readonly transaction: Transaction
  readonly inputs: readonly PsbtInput[]
  readonly outputs: readonly { readonly origins: readonly KeyOrigin[] }[]
  /** Keys of fields that this signer does not know, for example `input 0: 04`. */
  readonly unknown: readonly string[]
}

interface Field {
  readonly type: number
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Most fields of one input or output. An honest one has a handful, and each costs more memory than bytes. */
const MAX_FIELDS = 64
/** Most steps of a path. A wallet's path has five. */
const MAX_PATH = 10

/** Most inputs and outputs. An honest payload has at most one output more than its intent, the change. */
const MOST = { inputs: MAX_PAYLOAD_INPUTS, outputs: MAX_OUTPUTS + 1 }

const MAGIC = 'psbt\xff'
const GLOBAL_UNSIGNED_TX = 0x00
const IN = { parent: 0x00, witnessUtxo: 0x01, partialSignature: 0x02, sighash: 0x03, origin: 0x06 } as const
const IN_FINAL_SCRIPT_SIG = 0x07
const IN_FINAL_WITNESS = 0x08
const OUT_ORIGIN = 0x02
/** Types of input fields whose key is the type alone (BIP-174). */
const BARE_INPUT_KEYS = [0x00, 0x01, 0x03, 0x04, 0x05, 0x07, 0x08]

/** Parses base64. @throws RangeError when it is not exactly one PSBT v0 with an unsigned transaction. */
export function readPsbt(base64: string): Psbt {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.toString('base64') !== base64) throw new RangeError('The PSBT is not canonical base64')
  const reader = new ByteReader(bytes)
  if (Buffer.from(reader.take(5)).toString('latin1') !== MAGIC)
    throw new RangeError('The PSBT magic is missing')
  const unknown: string[] = []
  const transaction = readGlobal(readMap(reader), unknown)
  const inputs = transaction.inputs.map(({ vout }, index) =>
    readInputMap(readMap(reader), vout, `input ${index}`, unknown),
  )
  const outputs = transaction.outputs.map((_, index) =>
    readOutputMap(readMap(reader), `output ${index}`, unknown),
  )
  if (!reader.atEnd) throw new RangeError('Bytes follow the PSBT')
  return { transaction, inputs, outputs, unknown }
}

function readMap(reader: ByteReader): Field[] {
  const fields: Field[] = []
  const seen = new Set<string>()
  for (;;) {
    const key = reader.takeSized()
    if (key.length === 0) return fields
    const name = Buffer.from(key).toString('hex')
    if (seen.size === MAX_FIELDS) throw new RangeError(`A PSBT map has more than ${MAX_FIELDS} fields`)
    if (seen.has(name)) throw new RangeError('A PSBT key occurs twice')
    seen.add(name)
    fields.push({ type: key[0] ?? 0, key, value: reader.takeSized() })
  }
}

function readGlobal(fields: readonly Field[], unknown: string[]): Transaction {
  let transaction: Transaction | null = null
  for (const field of fields) {
    if (field.type === GLOBAL_UNSIGNED_TX) {
      requireBareKey(field)
      transaction = readTransaction(field.value, 'stripped', MOST)
    } else unknown.push(`global: ${hex(field.key)}`)
  }
  if (!transaction) throw new RangeError('The PSBT has no unsigned transaction')
  if (transaction.inputs.some((input) => input.scriptSig.length > 0)) {
    throw new RangeError('The unsigned transaction of the PSBT carries a scriptSig')
  }
  return transaction
}

function readInputMap(fields: readonly Field[], vout: number, where: string, unknown: string[]): PsbtInput {
  let parent: ParentTransaction | null = null
  let witnessUtxo: PsbtInput['witnessUtxo'] = null
  let sighash: number | null = null
  let hasSignature = false
  const origins: KeyOrigin[] = []
  for (const field of fields) {
    if (BARE_INPUT_KEYS.includes(field.type)) requireBareKey(field)
    switch (field.type) {
      case IN.parent:
        parent = readParent(field.value, vout)
        break
      case IN.witnessUtxo:
        witnessUtxo = readWitnessUtxo(field.value)
        break
      case IN.sighash:
        sighash = readSighash(field.value)
        break
      case IN.partialSignature:
        requirePublicKey(field)
        hasSignature = true
        break
      case IN_FINAL_SCRIPT_SIG:
      case IN_FINAL_WITNESS:
        hasSignature = true
        break
      case IN.origin:
        origins.push(readOrigin(field))
        break
      default:
        unknown.push(`${where}: ${hex(field.key)}`)
    }
  }
  return { parent, witnessUtxo, sighash, hasSignature, origins }
}

function readOutputMap(fields: readonly Field[], where: string, unknown: string[]) {
  const origins: KeyOrigin[] = []
  for (const field of fields) {
    if (field.type === OUT_ORIGIN) origins.push(readOrigin(field))
    else unknown.push(`${where}: ${hex(field.key)}`)
  }
  return { origins }
}

function readWitnessUtxo(value: Uint8Array): Pick<TransactionOutput, 'amount' | 'script'> {
  const reader = new ByteReader(value)
  const amount = reader.u64()
  const script = reader.takeSized()
  if (!reader.atEnd) throw new RangeError('Bytes follow a witness UTXO')
  return { amount, script }
}

function readSighash(value: Uint8Array): number {
  const reader = new ByteReader(value)
  const type = reader.u32()
  if (!reader.atEnd) throw new RangeError('Bytes follow a sighash type')
  return type
}

function readOrigin(field: Field): KeyOrigin {
  requirePublicKey(field)
  const reader = new ByteReader(field.value)
  const fingerprint = hex(reader.take(4))
  const path: number[] = []
  while (!reader.atEnd) {
    if (path.length === MAX_PATH) throw new RangeError(`A path has more than ${MAX_PATH} steps`)
    path.push(reader.u32())
  }
  return { publicKey: field.key.subarray(1), fingerprint, path }
}

function requireBareKey(field: Field): void {
  if (field.key.length !== 1) throw new RangeError('A PSBT key has data where it must have none')
}

function requirePublicKey(field: Field): void {
  if (field.key.length !== 34 && field.key.length !== 66)
    throw new RangeError('A PSBT key holds no public key')
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
