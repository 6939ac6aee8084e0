/** Computes the facts of a PSBT once for all checks: amounts from the parents, keys from the own seed. */

import type { Keyring, LeafKey } from '../keys/keyring.js'
import { type AddressPrefixes, addressScript } from './address-script.js'
import { compactSizeLength } from './compact-size-length.js'
import { type KeyScriptKind, keyScript } from './key-script.js'
import { matchOutputs } from './match-outputs.js'
import { sameScript } from './p2wpkh.js'
import { type Psbt, type PsbtInput, readPsbt } from './read-psbt.js'
import type { TransactionOutput } from './read-transaction.js'

/** An input with the facts that the signer found. */
export interface UtxoFactsInput extends PsbtInput {
  /** Outpoint as `txid:vout`. */
  readonly outpoint: string
  /** Output that is spent, from the parent. `null` when the parent is missing or has no such output. */
  readonly spent: Pick<TransactionOutput, 'amount' | 'script'> | null
  /** Claimed path. `null` unless there is exactly one claim. */
  readonly path: readonly number[] | null
  /**
   * Returns the key of the own seed at that path. It is derived on demand, so that a hostile path costs
   * nothing before its check.
   */
  readonly key: () => LeafKey | null
}

/** An output that pays none of the intent's outputs. */
export interface ExtraOutput extends TransactionOutput {
  readonly index: number
  readonly path: readonly number[] | null
}

export interface UtxoFacts {
  readonly psbt: Psbt
  readonly inputs: readonly UtxoFactsInput[]
  /** Base units of all outputs that are spent, from their parents. */
  readonly amountIn: bigint
  readonly amountOut: bigint
  /** `amountIn` − `amountOut`. It is negative for an impossible transaction. */
  readonly fee: bigint
  /** Scripts and amounts that the intent asks for, less the fee where the recipient pays it. */
  readonly wanted: readonly {
    readonly address: string
    readonly script: Uint8Array
    readonly amount: bigint
  }[]
  /** Entries of `wanted` that no output pays exactly. */
  readonly missing: UtxoFacts['wanted']
  /** Outputs that pay none of `wanted`: change, or an output that must not be there. */
  readonly extra: readonly ExtraOutput[]
  /** Virtual bytes of the signed transaction with 71-byte signatures (BIP-141; without SegWit, bytes). */
  readonly vsize: number
}

/**
 * Marker and flag. Each input then has a count, a length, a 71-byte signature with its hash type, a length
 * and a 33-byte key.
 */
const WITNESS_MARKER_BYTES = 2
const WITNESS_BYTES_PER_INPUT = 1 + 1 + 72 + 1 + 33
/** Bytes of the same in a scriptSig, without the count. Its own length takes one byte in both cases. */
const SCRIPT_SIG_BYTES = 1 + 72 + 1 + 33

/**
 * Computes the facts.
 *
 * @throws RangeError when the PSBT does not parse, and Error when a recipient's address is not of this
 * network.
 */
export function utxoFacts(
  psbtBase64: string,
  intent: {
    readonly outputs: readonly { readonly address: string; readonly amount: string }[]
    readonly fee_payer: 'sender' | 'recipient'
  },
  network: { readonly address: AddressPrefixes; readonly script: KeyScriptKind },
  keyring: Keyring,
): UtxoFacts {
  const psbt = readPsbt(psbtBase64)
  const inputs = psbt.transaction.inputs.map((input, index): UtxoFactsInput => {
    const fields = psbt.inputs[index]
    if (!fields) throw new RangeError('An input has no fields')
    const [origin] = fields.origins
    const path = origin && fields.origins.length === 1 ? origin.path : null
    return {
      ...fields,
      outpoint: `${input.txid}:${input.vout}`,
      spent: fields.parent?.output ?? null,
      path,
      key: () => (path && path.length > 0 ? keyring.at(path) : null),
    }
  })
  const amountIn = inputs.reduce((sum, input) => sum + (input.spent?.amount ?? 0n), 0n)
  const amountOut = psbt.transaction.outputs.reduce((sum, output) => sum + output.amount, 0n)
  const fee = amountIn - amountOut
  const surplus = surplusOf(psbt, amountIn, intent)
  const wanted = intent.outputs.map((output) => ({
    address: output.address,
    script: addressScript(output.address, network.address),
    amount: BigInt(output.amount) - (intent.fee_payer === 'recipient' ? fee - surplus : 0n),
  }))
  return {
    psbt,
    inputs,
    amountIn,
    amountOut,
    fee,
    wanted,
    ...outputsOf(psbt, wanted),
    vsize: vsizeOf(psbt, network.script),
  }
}

/**
 * Returns the surplus of coins without change that is too small for an output of its own. It goes to the fee,
 * and the recipient, who pays the fee, does not bear it. The limits of fees bound it as a part of the fee.
 */
function surplusOf(
  { transaction }: Psbt,
  amountIn: bigint,
  {
    outputs,
    fee_payer,
  }: { readonly outputs: readonly { readonly amount: string }[]; readonly fee_payer: string },
): bigint {
  const [approved] = outputs
  const [only] = transaction.outputs
  if (fee_payer !== 'recipient' || !approved || !only || transaction.outputs.length !== 1) return 0n
  const surplus = amountIn - BigInt(approved.amount)
  // The recipient never gets more than was approved.
  return surplus > 0n && only.amount <= BigInt(approved.amount) ? surplus : 0n
}

/** Returns whether an output pays to the own key at its claimed path. */
export function isOwnOutput(output: ExtraOutput, kind: KeyScriptKind, keyring: Keyring): boolean {
  return output.path !== null && output.path.length > 0
    ? sameScript(output.script, keyScript(kind, keyring.at(output.path).keyHash))
    : false
}

/** Returns the outputs with their claimed paths, matched with the wanted ones. */
function outputsOf(psbt: Psbt, wanted: UtxoFacts['wanted']): Pick<UtxoFacts, 'missing' | 'extra'> {
  const all = psbt.transaction.outputs.map((output, index): ExtraOutput => {
    const origins = psbt.outputs[index]?.origins ?? []
    return { ...output, index, path: origins.length === 1 ? (origins[0]?.path ?? null) : null }
  })
  return matchOutputs(wanted, all)
}

function vsizeOf(psbt: Psbt, kind: KeyScriptKind): number {
  const { inputs, outputs } = psbt.transaction
  const base =
    8 +
    compactSizeLength(inputs.length) +
    inputs.length * 41 +
    compactSizeLength(outputs.length) +
    outputs.reduce((sum, output) => sum + output.bytes.length, 0)
  if (kind !== 'p2wpkh') return base + inputs.length * SCRIPT_SIG_BYTES
  const witness = WITNESS_MARKER_BYTES + inputs.length * WITNESS_BYTES_PER_INPUT
  return Math.ceil((base * 4 + witness) / 4)
}
