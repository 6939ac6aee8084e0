/** What a PSBT really says, computed once for all checks: amounts from the parents, keys from the own seed. */

import type { Keyring, LeafKey } from '../keys/keyring.js'
import { type AddressPrefixes, addressScript } from './address-script.js'
import { compactSizeLength } from './compact-size-length.js'
import { type KeyScriptKind, keyScript } from './key-script.js'
import { matchOutputs } from './match-outputs.js'
import { sameScript } from './p2wpkh.js'
import { type Psbt, type PsbtInput, readPsbt } from './read-psbt.js'
import type { TransactionOutput } from './read-transaction.js'

/** An input with what the signer found out about it. */
export interface UtxoFactsInput extends PsbtInput {
  /** `txid:vout` */
  readonly outpoint: string
  /** The output that is spent, from the parent; null when the parent is missing or has no such output. */
  readonly spent: Pick<TransactionOutput, 'amount' | 'script'> | null
  /** The claimed path; null unless there is exactly one claim. */
  readonly path: readonly number[] | null
  /** The key that the own seed has at that path; derived when asked, so that a hostile path costs nothing before its check. */
  readonly key: () => LeafKey | null
}

/** An output that is not one of the intent's. */
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
  /** amountIn − amountOut; negative when the transaction is nonsense. */
  readonly fee: bigint
  /** Scripts and amounts that the intent asks for, after the fee where the recipient pays it. */
  readonly wanted: readonly {
    readonly address: string
    readonly script: Uint8Array
    readonly amount: bigint
  }[]
  /** Those of `wanted` that no output pays exactly. */
  readonly missing: UtxoFacts['wanted']
  /** Outputs that pay none of `wanted`: change, or something that must not be. */
  readonly extra: readonly ExtraOutput[]
  /** Virtual bytes once signed (BIP-141; without SegWit, bytes), with 71-byte signatures. */
  readonly vsize: number
}

/** Marker, flag, and per input: count, length, 71-byte signature with its hash type, length, 33-byte key. */
const WITNESS_MARKER_BYTES = 2
const WITNESS_BYTES_PER_INPUT = 1 + 1 + 72 + 1 + 33
/** The same without the count, in scriptSig (whose own length takes one byte either way). */
const SCRIPT_SIG_BYTES = 1 + 72 + 1 + 33

/** @throws RangeError when the PSBT does not parse; Error when a recipient's address is none of this network. */
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
 * What coins without change bring above the approved amount, and is too little for an output of its own: it goes to the fee, and the
 * recipient, who pays the fee, does not bear it. As it is part of the fee, the limits of fees bound it.
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

/** Whether an output pays to the own key at its claimed path. */
export function isOwnOutput(output: ExtraOutput, kind: KeyScriptKind, keyring: Keyring): boolean {
  return output.path !== null && output.path.length > 0
    ? sameScript(output.script, keyScript(kind, keyring.at(output.path).keyHash))
    : false
}

/** The outputs with the paths that they claim, matched with what is wanted. */
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
