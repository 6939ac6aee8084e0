/** Sends signed bytes to every endpoint. */

import { keccak256 } from 'viem'
import type { BroadcastOutcome } from '../../adapter.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { EndpointFailure, RpcError } from '../rpc/rpc-error.js'
import { classifyBroadcastError } from './classify-broadcast-error.js'

/**
 * Broadcasts raw bytes (0x and lower-case hex). One node that has them is enough; a node that may have them
 * forbids a verdict. Before a rejection counts, the endpoints are asked for the transaction itself: after a
 * lost answer the second sending meets "nonce too low" or worse although the first one succeeded.
 */
export async function broadcastTransaction(rpc: Rpc, signedTransaction: string): Promise<BroadcastOutcome> {
  if (!/^0x(?:[0-9a-f]{2})+$/.test(signedTransaction)) {
    return { kind: 'rejected', reason: 'malformed transaction' }
  }
  const outcomes = rpc
    .askAll({ method: 'eth_sendRawTransaction', params: [signedTransaction] })
    .map(async (answer) => readAnswer(await answer))
  const best = (await firstThatHasIt(outcomes)) ?? (await bestOf(outcomes))
  if (best?.kind !== 'rejected') return best ?? { kind: 'unknown', reason: 'no endpoint is configured' }
  return (await lookUp(rpc, keccak256(signedTransaction as `0x${string}`))) ?? best
}

/** Returns once one endpoint has taken it, without waiting for slow ones. */
async function firstThatHasIt(
  outcomes: readonly Promise<BroadcastOutcome>[],
): Promise<BroadcastOutcome | null> {
  const having = outcomes.map(async (each) => {
    const outcome = await each
    if (outcome.kind === 'accepted' || outcome.kind === 'already_known') return outcome
    throw new Error(outcome.reason)
  })
  return Promise.any(having).catch(() => null)
}

async function bestOf(outcomes: readonly Promise<BroadcastOutcome>[]): Promise<BroadcastOutcome | undefined> {
  const settled = await Promise.all(outcomes)
  return settled.find(({ kind }) => kind === 'unknown') ?? settled.find(({ kind }) => kind === 'rejected')
}

function readAnswer(answer: unknown): BroadcastOutcome {
  if (answer instanceof EndpointFailure) return { kind: 'unknown', reason: answer.message }
  if (!(answer instanceof RpcError)) return { kind: 'accepted' }
  const refusal = classifyBroadcastError(answer)
  return refusal.kind === 'nonce_too_low' ? { kind: 'rejected', reason: 'nonce too low' } : refusal
}

/** Returns `null` if every endpoint says that it does not have the transaction. */
async function lookUp(rpc: Rpc, txid: string): Promise<BroadcastOutcome | null> {
  const answers = await Promise.all(rpc.askAll({ method: 'eth_getTransactionByHash', params: [txid] }))
  const failure = answers.find((answer) => answer instanceof EndpointFailure || answer instanceof RpcError)
  const known = answers.some((answer) => answer !== null && !(answer instanceof Error))
  if (known) return { kind: 'already_known' }
  return failure instanceof Error ? { kind: 'unknown', reason: failure.message } : null
}
