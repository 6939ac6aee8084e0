/** Signs what was accepted and is in the journal, has it read back, and stores the bytes before they leave. */

import { createHash } from 'node:crypto'
import { byFamily } from './checks/by-family.js'
import type { EvmContext, PayloadContext, UtxoContext } from './checks/check.js'
import { signTypeTwo } from './evm/sign-type-two.js'
import type { Examination } from './examine.js'
import type { Helpers, SharedTask } from './helpers/helpers.js'
import { readBack, type Unread } from './helpers/read-back.js'
import type { Journal } from './journal/journal.js'
import type { SignerState } from './state.js'
import { signP2pkhForkId } from './utxo/sign-p2pkh-forkid.js'
import { signP2wpkh } from './utxo/sign-p2wpkh.js'

/**
 * Requests whose work is offered to other threads in one message. A message of its own for each costs more
 * than the wait for the fourth.
 */
export const OFFERED = 4

/** A request that every check accepted. */
export type Accepted = Extract<Examination, { outcome: 'accepted' }>

/** Signed bytes that are to be read back, or the error that came instead of them. */
export type Signed = { readonly unread: Unread; readonly isRead: SharedTask } | { readonly error: unknown }

/**
 * Signs every accepted payload whose bytes are not stored. Other threads read the first ones back while the
 * next are signed.
 */
export function signAll(
  examined: readonly { readonly examination: Examination | null }[],
  state: SignerState,
  helpers: Helpers,
): ReadonlyMap<Examination, Signed> {
  const signed = new Map<Examination, Signed>()
  let offered: { readonly examination: Accepted; readonly unread: Unread }[] = []
  const offer = () => {
    const tasks = helpers.offer(offered.map(({ unread }) => ({ task: unread, here: () => readBack(unread) })))
    for (const [index, { examination, unread }] of offered.entries()) {
      const isRead = tasks[index]
      if (isRead) signed.set(examination, { unread, isRead })
    }
    offered = []
  }
  for (const { examination } of examined) {
    if (examination?.outcome !== 'accepted' || stored(examination, state)) continue
    try {
      offered.push({ examination, unread: sign(examination.context) })
    } catch (error) {
      signed.set(examination, { error })
    }
    if (offered.length === OFFERED) offer()
  }
  if (offered.length > 0) offer()
  return signed
}

/** Returns the stored bytes of a payload. `null` where there are none. */
function stored(
  { context, payloadHash }: Accepted,
  { journal }: SignerState,
): ReturnType<Journal['signedTransaction']> {
  const record = journal.records.find(context.intentHash, context.request.items)
  return record ? journal.signedTransaction(record, payloadHash) : null
}

/** Returns the stored bytes. If there are none, stores the signed ones before they leave. */
export function signedOnce(
  accepted: Accepted,
  signed: Signed | undefined,
  state: SignerState,
): { raw: string; hash: string } {
  const known = stored(accepted, state)
  if (known) return known
  if (!signed) throw new Error('The payload was not signed')
  if ('error' in signed) throw signed.error
  signed.isRead.finish()
  const { raw, hash } = signed.unread
  const { request, intentHash } = accepted.context
  // A new intent got its record when the decision was written down.
  const record = state.journal.records.find(intentHash, request.items)
  if (!record) throw new Error('The journal does not hold the decision')
  state.journal.append({
    type: 'signed',
    intent: request.intent.withdrawal,
    intent_hash: intentHash,
    first_item: record.firstItem,
    payload_hash: accepted.payloadHash,
    transaction_hash: hash,
    signed_hash: createHash('sha256').update(raw).digest('hex'),
    signed_transaction: raw,
  })
  return { raw, hash }
}

function sign(context: PayloadContext): Unread {
  return byFamily(context, { utxo: signUtxo, evm: signEvm })
}

function signUtxo({ network, utxo }: UtxoContext): Unread {
  const keys = utxo.inputs.map((input) => {
    const key = input.key()
    if (!key || !input.spent) throw new Error(`${input.outpoint} is not of this seed`)
    return { key, amount: input.spent.amount }
  })
  const signInputs = network.script === 'p2wpkh' ? signP2wpkh : signP2pkhForkId
  return signInputs(utxo.psbt.transaction, keys)
}

function signEvm({ payload, path, state }: EvmContext): Unread {
  if (!path) throw new Error(`${payload.derivation_path} is not a path`)
  return signTypeTwo(
    {
      chainId: BigInt(payload.chain_id),
      nonce: BigInt(payload.nonce),
      maxPriorityFeePerGas: BigInt(payload.max_priority_fee_per_gas),
      maxFeePerGas: BigInt(payload.max_fee_per_gas),
      gas: BigInt(payload.gas),
      to: payload.to,
      value: BigInt(payload.value),
      data: payload.data,
    },
    state.keyring.at(path),
  )
}
