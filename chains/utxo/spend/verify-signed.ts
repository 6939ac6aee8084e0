/**
 * Checks what a signer returned, before it is stored: it must be the payload's transaction, validly signed,
 * and nothing else.
 */

import { Psbt, Transaction } from 'bitcoinjs-lib'
import { KeyturnError } from '../../../domain/errors.js'
import type { UtxoPayload } from '../../../domain/signing/signer-protocol.js'
import { type ParsedOutput, type ParsedTransaction, parseTransaction } from '../parse/parse-transaction.js'
import type { SignatureRules } from '../signature-rules.js'
import { findInvalidCashInput } from './find-invalid-cash-input.js'
import { isInputSigned } from './is-input-signed.js'

/**
 * Compares version, inputs, sequences, outputs and locktime with the payload's unsigned transaction. It
 * verifies every signature (sighash ALL, on Bitcoin Cash with FORKID) against the output it spends, whose
 * parent must hash to the outpoint's txid.
 *
 * @param signedTransaction - Hex of the network serialization.
 * @param rules - See `signatureRules`. A signature by the other network's rules never passes.
 * @returns The txid, and the fee as inputs − outputs in base units.
 * @throws KeyturnError `VALIDATION_FAILED` with the first difference.
 */
export function verifySigned(
  payload: UtxoPayload,
  signedTransaction: string,
  rules: SignatureRules = 'bitcoin',
): { readonly txid: string; readonly fee: bigint } {
  const psbt = Psbt.fromBase64(payload.psbt)
  const expected = parseTransaction(Buffer.from(psbt.data.getTransaction()))
  const signed = parseHex(signedTransaction)
  compare(expected, signed)

  const prevouts = expected.inputs.map((input, index) => {
    const parentBytes = psbt.data.inputs[index]?.nonWitnessUtxo
    if (!parentBytes) throw differs('The payload lacks a parent transaction', { input: index })
    const parent = parseTransaction(Buffer.from(parentBytes))
    const output = parent.outputs[input.prevVout]
    if (parent.txid !== input.prevTxid || !output) {
      throw differs('A parent in the payload is not the one spent', { input: index })
    }
    return output
  })
  const unsigned = findUnsigned(signedTransaction, signed, prevouts, rules)
  if (unsigned !== null) throw differs('An input is not validly signed', { input: unsigned })
  const fee = sum(prevouts) - sum(signed.outputs)
  if (fee < 0n) throw differs('The outputs are worth more than the inputs', {})
  return { txid: signed.txid, fee }
}

/** Returns the first input that is not validly signed, or `all` if the rules judge all inputs together. */
function findUnsigned(
  hex: string,
  signed: ParsedTransaction,
  prevouts: readonly ParsedOutput[],
  rules: SignatureRules,
): number | 'all' | null {
  if (rules === 'bitcoin-cash') return findInvalidCashInput(Buffer.from(hex, 'hex'), signed, prevouts)
  const transaction = Transaction.fromHex(hex)
  const index = signed.inputs.findIndex(
    (input, at) => !isInputSigned(transaction, at, input, prevouts[at] as ParsedOutput),
  )
  return index === -1 ? null : index
}

function parseHex(hex: string): ParsedTransaction {
  if (!/^(?:[0-9a-f]{2})+$/.test(hex)) throw differs('The signed transaction is not lower-case hex', {})
  try {
    return parseTransaction(Buffer.from(hex, 'hex'))
  } catch (error) {
    throw differs('The signed transaction cannot be parsed', {}, error)
  }
}

function compare(expected: ParsedTransaction, signed: ParsedTransaction): void {
  if (signed.mweb) throw differs('The signed transaction carries MWEB data', {})
  if (signed.version !== expected.version) throw differs('The version differs', {})
  if (signed.locktime !== expected.locktime) throw differs('The locktime differs', {})
  if (signed.inputs.length !== expected.inputs.length) throw differs('The number of inputs differs', {})
  if (signed.outputs.length !== expected.outputs.length) throw differs('The number of outputs differs', {})
  for (const [index, input] of expected.inputs.entries()) {
    const other = signed.inputs[index]
    if (other?.prevTxid !== input.prevTxid || other.prevVout !== input.prevVout) {
      throw differs('An input spends another output', { input: index })
    }
    if (other.sequence !== input.sequence) throw differs('A sequence differs', { input: index })
  }
  for (const [index, output] of expected.outputs.entries()) {
    const other = signed.outputs[index]
    if (other?.amount !== output.amount) throw differs('An amount differs', { output: index })
    if (!other.script.equals(output.script)) throw differs('A recipient differs', { output: index })
  }
}

function sum(outputs: readonly ParsedOutput[]): bigint {
  return outputs.reduce((total, each) => total + each.amount, 0n)
}

function differs(message: string, details: Record<string, unknown>, cause?: unknown): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', `${message}; the signed transaction is not the payload`, {
    details: { ...details, reason: message },
    cause,
  })
}
