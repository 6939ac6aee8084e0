/**
 * Builds a PSBT: selects coins, fetches their parents, and writes down everything that a signer needs to
 * check it.
 */

import { createHash } from 'node:crypto'
import { Psbt } from 'bitcoinjs-lib'
import { nativeCoin, type UtxoNetwork } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { SpendableOutput, UtxoBuildRequest, UtxoBuildResult } from '../../adapter.js'
import { bitcoinjsNetwork } from '../bitcoinjs-network.js'
import type { TransactionSource } from '../chain/transaction-source.js'
import { type Selection, selectCoins } from '../coins/select-coins.js'
import { dustThreshold, frameWeight, INPUT_WEIGHT, outputWeight, toVsize } from '../coins/weights.js'
import { doubleSha256, toDisplayHex } from '../parse/double-sha256.js'
import type { ParsedTransaction } from '../parse/parse-transaction.js'
import { scriptOfAddress } from '../script-of-address.js'
import { SIGHASH_ALL_FORKID, signatureRules } from '../signature-rules.js'
import { chooseCoins, type FatParents } from './choose-coins.js'
import { scriptOfKey } from './script-of-key.js'

/** Sequence that signals replaceability (BIP-125) and leaves the locktime in force. */
const SEQUENCE = 0xfffffffd
const VERSION = 2
/** Most inputs of one transaction: a common limit of custodians, and one byte of count. */
export const MAX_INPUTS = 250
/**
 * Most characters of a PSBT, so that with the largest intent and its approvals it stays below
 * `MAX_REQUEST_BYTES`, above which signers refuse. Only required inputs may exceed it.
 */
export const MAX_PAYLOAD_BYTES = 3_900_000

interface Output {
  readonly script: Buffer
  readonly amount: bigint
}

/**
 * Builds a payout. Outputs keep the order of the request (an address twice stays two outputs), and change
 * comes last.
 *
 * @throws KeyturnError `INVALID_ADDRESS`, `INVALID_AMOUNT` (dust), both with the index as `details.output`;
 * `INVALID_STATE` if a candidate is not what the chain says.
 */
export async function buildPayout(
  request: UtxoBuildRequest,
  network: UtxoNetwork,
  source: TransactionSource,
  fatParents: FatParents = new Map(),
): Promise<UtxoBuildResult> {
  const outputs = request.outputs.map(({ address, amount }, index) => ({
    script: scriptOfRecipient(address, index, network),
    amount,
  }))
  checkOutputs(request, outputs, network)
  const changeScript = ownScript(request.change, network)
  const feeLimit = atMost(request.feeLimit, request.feeCap ?? network.fees.maxTotal)

  const { required } = request
  const { selection, parents } = await chooseCoins(
    others(request, network),
    required,
    source,
    fatParents,
    MAX_INPUTS,
    (candidates) => select(request, candidates, outputs, changeScript, feeLimit, network),
  )
  if (parents === null) return selection
  const { coins, change } = selection
  // A transaction needs an output. Without a recipient, change must come back.
  if (outputs.length === 0 && change === 0n)
    return { kind: 'insufficient_funds', missing: dustThreshold(changeScript, network) }
  const paid = request.feePayer === 'recipient' ? takeFee(outputs, selection.fee) : outputs
  // If the recipient pays and there is no change, the surplus of the coins goes to the fee as well.
  const fee = sum(coins) - change - sum(paid)
  if (fee > feeLimit) return { kind: 'fee_too_high', fee }
  const [first] = paid
  if (request.feePayer === 'recipient' && first && first.amount < dustThreshold(first.script, network)) {
    return { kind: 'fee_too_high', fee }
  }

  const psbt = new Psbt({ network: bitcoinjsNetwork(network) })
  psbt.setVersion(VERSION)
  for (const coin of coins) addInput(psbt, coin, parents.get(coin.txid), network)
  for (const { script, amount } of paid) psbt.addOutput({ script, value: amount })
  if (change > 0n) {
    psbt.addOutput({ script: changeScript, value: change, bip32Derivation: [keyOrigin(request.change)] })
  }
  const all = change > 0n ? [...paid, { script: changeScript, amount: change }] : paid
  const unsigned = psbt.data.getTransaction()
  return {
    kind: 'built',
    payload: { family: 'utxo', network: network.name, psbt: psbt.toBase64() },
    // The txid does not cover signatures of SegWit inputs.
    txid: network.script === 'p2wpkh' ? toDisplayHex(doubleSha256(unsigned)) : null,
    inputs: coins,
    paid: sum(paid),
    fee,
    change,
    vsize: toVsize(
      frameWeight(all.length, network.script) +
        coins.length * INPUT_WEIGHT[network.script] +
        all.reduce((sum, each) => sum + outputWeight(each.script), 0),
    ),
  }
}

/**
 * Returns the script of a recipient. @throws KeyturnError `INVALID_ADDRESS` with the index of the output.
 */
function scriptOfRecipient(address: string, index: number, network: UtxoNetwork): Buffer {
  try {
    return scriptOfAddress(address, network)
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error
    const { code, message, details, cause } = error
    throw new KeyturnError(code, message, { details: { ...details, output: index }, cause })
  }
}

/** Returns the candidates that are not required, each once. */
function others(request: UtxoBuildRequest, network: UtxoNetwork): SpendableOutput[] {
  const taken = new Set(request.required.map(outpoint))
  if (taken.size !== request.required.length) throw invalid('An outpoint is required twice', network)
  return request.candidates.filter((coin) => {
    const key = outpoint(coin)
    if (taken.has(key)) return false
    taken.add(key)
    return true
  })
}

function select(
  request: UtxoBuildRequest,
  candidates: readonly SpendableOutput[],
  outputs: readonly Output[],
  changeScript: Buffer,
  feeLimit: bigint,
  network: UtxoNetwork,
): Selection<SpendableOutput> {
  const weightOf = (count: number) =>
    frameWeight(count, network.script) + outputs.reduce((sum, each) => sum + outputWeight(each.script), 0)
  const baseWeight = weightOf(outputs.length)
  return selectCoins({
    candidates,
    required: request.required,
    target: sum(outputs),
    baseWeight,
    inputWeight: INPUT_WEIGHT[network.script],
    changeWeight: weightOf(outputs.length + 1) + outputWeight(changeScript) - baseWeight,
    feeRate: request.feeRate,
    longTermFeeRate: network.fees.fallbackRate,
    dust: dustThreshold(changeScript, network),
    ...(request.floor ? { floor: request.floor } : {}),
    feeLimit,
    feePayer: request.feePayer,
    maxInputs: MAX_INPUTS,
    seed: seedOf(request),
  })
}

/** Returns a seed, so that the same request draws the same coins, and another one draws others. */
function seedOf(request: UtxoBuildRequest): number {
  const hash = createHash('sha256')
  for (const { address, amount } of request.outputs) hash.update(`${address} ${amount}\n`)
  for (const coin of request.required) hash.update(`${outpoint(coin)}\n`)
  for (const coin of request.candidates.slice(0, 100)) hash.update(`${outpoint(coin)}\n`)
  return hash.digest().readUInt32LE(0)
}

function checkOutputs(request: UtxoBuildRequest, outputs: readonly Output[], network: UtxoNetwork): void {
  if (outputs.length === 0 && request.required.length === 0)
    throw invalid('A payout needs an output', network)
  if (request.feePayer === 'recipient' && outputs.length !== 1) {
    throw invalid('The recipient can pay the fee only where there is one', network)
  }
  for (const [index, { script, amount }] of outputs.entries()) {
    const dust = dustThreshold(script, network)
    if (amount >= dust) continue
    const coin = nativeCoin(network).name
    throw new KeyturnError('INVALID_AMOUNT', `The network does not relay so small an amount of ${coin}`, {
      details: { output: index, amount: amount.toString(), minimum: dust.toString(), unit: 'base units' },
    })
  }
}

/**
 * Returns outputs from which the fee is taken, together with a remainder that is too small for a change
 * output.
 */
function takeFee(outputs: readonly Output[], fee: bigint): Output[] {
  return outputs.map(({ script, amount }) => ({ script, amount: amount - fee }))
}

function addInput(
  psbt: Psbt,
  coin: SpendableOutput,
  parent: ParsedTransaction | undefined,
  network: UtxoNetwork,
): void {
  const details = { txid: coin.txid, vout: coin.vout, network: network.name }
  const output = parent?.outputs[coin.vout]
  if (!parent || !output) {
    throw new KeyturnError(
      'INVALID_STATE',
      `The ${network.name} node does not know an output that should pay`,
      {
        details,
        retryable: true,
      },
    )
  }
  const script = ownScript(coin, network)
  if (output.amount !== coin.amount || !output.script.equals(script)) {
    throw new KeyturnError('INVALID_STATE', 'An output that should pay is not what the chain says it is', {
      details,
    })
  }
  psbt.addInput({
    hash: coin.txid,
    index: coin.vout,
    sequence: SEQUENCE,
    // Without witnesses it is still a network serialization, its hash is the txid, and every parser reads it.
    nonWitnessUtxo: parent.stripped,
    ...(network.script === 'p2wpkh' ? { witnessUtxo: { script, value: coin.amount } } : {}),
    // The type is explicit, so that a signer that does not know it does not sign by Bitcoin's rules.
    ...(signatureRules(network) === 'bitcoin-cash' ? { sighashType: SIGHASH_ALL_FORKID } : {}),
    bip32Derivation: [keyOrigin(coin)],
  })
}

function keyOrigin(key: UtxoBuildRequest['change']) {
  return {
    masterFingerprint: Buffer.from(key.masterFingerprint, 'hex'),
    path: key.path,
    pubkey: Buffer.from(key.publicKey, 'hex'),
  }
}

/** Returns the script of an own address, after checking that it belongs to its stored key. */
function ownScript(key: UtxoBuildRequest['change'], network: UtxoNetwork): Buffer {
  const script = scriptOfAddress(key.address, network)
  if (!script.equals(scriptOfKey(Buffer.from(key.publicKey, 'hex'), network.script))) {
    throw new KeyturnError('INVALID_STATE', 'An address does not belong to the key it is stored with', {
      details: { address: key.address, path: key.path, network: network.name },
    })
  }
  return script
}

/** Returns the smaller of two bigints. */
function atMost(value: bigint, cap: bigint): bigint {
  if (value > cap) return cap
  return value
}

function outpoint(coin: SpendableOutput): string {
  return `${coin.txid}:${coin.vout}`
}

function sum(items: readonly { readonly amount: bigint }[]): bigint {
  return items.reduce((total, each) => total + each.amount, 0n)
}

function invalid(message: string, network: UtxoNetwork): KeyturnError {
  return new KeyturnError('INVALID_STATE', message, { details: { network: network.name } })
}
