/** Sends signed bytes to a node, and names the reason when it refuses them. */

import { z } from 'zod'
import type { BroadcastOutcome } from '../../adapter.js'
import { parseTransaction } from '../parse/parse-transaction.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { NODE_CODE, NodeError } from '../rpc/node-error.js'
import { isTransactionUnknown } from './transaction-source.js'

const ALREADY_KNOWN =
  /already in (block ?chain|utxo set|mempool)|already have transaction|already exists|txn-already|same-nonwitness-data-in-mempool/i
const MISSING_INPUTS = /missing|orphan transaction/i

/** Patterns of a node's words. The first that matches names the reason. */
const REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [
    /insufficient (absolute )?fee|fee not met|insufficient priority|fees? which is under/i,
    'insufficient_fee',
  ],
  [/conflict|already spent in mempool/i, 'conflict'],
  [MISSING_INPUTS, 'missing_inputs'],
  [/max-?fee|absurdly/i, 'fee_too_high'],
  // btcd uses these words for a failed script, under the code of its own errors.
  [/failed to validate input/i, 'invalid'],
]

/**
 * Sends a transaction and reads the node's answer. The reason of `rejected` starts with `insufficient_fee`,
 * `conflict`, `missing_inputs`, `fee_too_high`, `malformed` or `invalid`, then a colon and the node's words.
 * Signed bytes stay valid in each case: a rejection for fee or inputs may not last.
 */
export async function broadcastTransaction(signedTransaction: string, rpc: Rpc): Promise<BroadcastOutcome> {
  let unanswered = false
  try {
    await rpc.call('sendrawtransaction', [signedTransaction], z.string(), {
      onUnanswered: () => {
        unanswered = true
      },
    })
    return { kind: 'accepted' }
  } catch (error) {
    if (!(error instanceof NodeError)) {
      return { kind: 'unknown', reason: error instanceof Error ? error.message : String(error) }
    }
    const outcome = await readAnswer(error, signedTransaction, rpc)
    // Another node may have taken it before this one refused.
    return outcome.kind === 'rejected' && unanswered ? { kind: 'unknown', reason: outcome.reason } : outcome
  }
}

async function readAnswer(error: NodeError, signedTransaction: string, rpc: Rpc): Promise<BroadcastOutcome> {
  const { nodeCode, nodeMessage } = error
  if (nodeCode === NODE_CODE.alreadyInChain || ALREADY_KNOWN.test(nodeMessage))
    return { kind: 'already_known' }
  if (nodeCode === NODE_CODE.deserialization) return { kind: 'rejected', reason: `malformed: ${nodeMessage}` }
  const reason = REASONS.find(([pattern]) => pattern.test(nodeMessage))?.[1]
  if (reason === 'missing_inputs') {
    // A transaction whose outputs are all spent again looks like this too: its inputs are gone because it
    // spent them.
    const known = await isKnown(signedTransaction, rpc)
    if (known === null) return { kind: 'unknown', reason: `missing_inputs: ${nodeMessage}` }
    if (known) return { kind: 'already_known' }
  }
  if (reason) return { kind: 'rejected', reason: `${reason}: ${nodeMessage}` }
  // -25 without a known reason is an error inside the node as often as a verdict.
  if (nodeCode === NODE_CODE.verifyRejected) return { kind: 'rejected', reason: `invalid: ${nodeMessage}` }
  return { kind: 'unknown', reason: nodeMessage }
}

/** Returns whether the node knows the transaction. `null` if it cannot say. */
async function isKnown(signedTransaction: string, rpc: Rpc): Promise<boolean | null> {
  try {
    const { txid } = parseTransaction(Buffer.from(signedTransaction, 'hex'))
    await rpc.call('getrawtransaction', [txid, 0], z.string())
    return true
  } catch (error) {
    try {
      return error instanceof NodeError && isTransactionUnknown(error, rpc.network) ? false : null
    } catch {
      return null
    }
  }
}
