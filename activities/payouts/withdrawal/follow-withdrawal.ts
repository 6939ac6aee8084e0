/**
 * Follows a broadcast payout: finds out whether an attempt is mined, sends it again if the network forgot it,
 * and replaces it if it is stuck.
 */

import type { ChainAdapter, TransactionOutcome } from '../../../chains/adapter.js'
import {
  isLive,
  listAttempts,
  listWithheld,
  type SignedAttempt,
} from '../../../db/payouts/attempts/find-attempts.js'
import { markBroadcast, markMined } from '../../../db/payouts/attempts/track-broadcast.js'
import { readWithdrawalState } from '../../../db/payouts/read-withdrawal-state.js'
import { setWaiting } from '../../../db/payouts/set-waiting.js'
import type { MinedOutcome } from '../../../db/payouts/settle-withdrawal.js'
import { byFamily } from '../../../domain/chain/by-family.js'
import {
  adapterOf,
  orWaitForNode,
  type WaitStep,
  type WithdrawalChainDependencies,
  waitFor,
} from './dependencies.js'
import { findConflict, type LostStep } from './find-conflict.js'
import { type Pursued, pursueReplacement } from './pursue-replacement.js'
import { sendAttempts } from './send-attempts.js'

export type FollowStep =
  /** Deep enough: the books can be closed. */
  | { readonly kind: 'final'; readonly outcome: MinedOutcome }
  | { readonly kind: 'mined'; readonly confirmations: number; readonly blockNumber: number }
  /**
   * @param lagsInMs - When the newest attempt counts as stuck and is replaced automatically. Absent where
   * that is not configured.
   */
  | { readonly kind: 'unmined'; readonly lagsInMs?: number }
  /** There is nothing to follow: read the row again. */
  | { readonly kind: 'gone' }
  | (WaitStep & { readonly lagsInMs?: number })
  | LostStep

type Mined = Extract<TransactionOutcome, { kind: 'mined' }>

/** Asks the node about every attempt, regardless of the watcher's signals: whichever is mined has paid. */
export async function followWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<FollowStep> {
  const { sql } = dependencies
  const { stage, requiredConfirmations: required } = await readWithdrawalState(sql, id)
  const [newest] = (await listAttempts(sql, id)).filter(isLive)
  if (stage !== 'confirming' || !newest) return { kind: 'gone' }
  const adapter = adapterOf(dependencies, newest.network)
  return orWaitForNode(dependencies, id, newest.network, async (): Promise<FollowStep> => {
    const before = await look(adapter, (await listAttempts(sql, id)).filter(isLive))
    if (before.mined) return follow(dependencies, id, before.mined, required)
    const pursued = await pursueReplacement(dependencies, adapter, id)
    const all = await listAttempts(sql, id)
    const attempts = all.filter(isLive)
    // The newest attempt goes first. If it was signed just now, no mempool has it yet.
    const [first] = attempts
    if (first && before.inMempool === first.id) return unmined(dependencies, id, pursued)
    const sent = await sendAttempts(adapter, attempts, listWithheld(all))
    if (sent.known) {
      await markBroadcast(sql, dependencies.networks, id, sent.attempt.id)
      return unmined(dependencies, id, pursued)
    }
    const lost = await findConflict(dependencies, adapter, id)
    if (lost) return lost
    const lagsInMs = pursued.lagsInMs
    // The reason why no attempt at a higher fee can be sent says more than the node's refusal of the same
    // bytes.
    const why =
      pursued.kind === 'waiting'
        ? pursued
        : {
            code: 'NOT_IN_MEMPOOL',
            message: `The network forgot the transaction and does not take it again: ${sent.reason}`,
          }
    const step = await waitFor(dependencies, id, why.code, why.message)
    return lagsInMs === undefined ? step : { ...step, lagsInMs }
  })
}

/** Returns the attempt that is mined, or else the newest one that a mempool has. */
async function look(
  adapter: ChainAdapter,
  attempts: readonly SignedAttempt[],
): Promise<{
  readonly mined: { readonly attempt: SignedAttempt; readonly outcome: Mined } | null
  readonly inMempool: string | null
}> {
  let inMempool: string | null = null
  for (const attempt of attempts) {
    const outcome = await adapter.outcome(attempt.txid)
    if (outcome.kind === 'mined') return { mined: { attempt, outcome }, inMempool }
    if (outcome.kind === 'mempool') inMempool ??= attempt.id
  }
  return { mined: null, inMempool }
}

async function follow(
  dependencies: WithdrawalChainDependencies,
  id: string,
  { attempt, outcome }: { readonly attempt: SignedAttempt; readonly outcome: Mined },
  required: number,
): Promise<FollowStep> {
  const { sql, networks } = dependencies
  const { height: blockNumber, hash: blockHash } = outcome.block
  const block = { network: attempt.network, blockNumber, blockHash, required }
  if (!(await markMined(sql, networks, id, attempt.id, block))) {
    return waitFor(
      dependencies,
      id,
      'NODES_DISAGREE',
      `A node has ${attempt.txid} in block ${blockNumber} (${blockHash}), and the scanned chain says otherwise; waiting until they agree`,
    )
  }
  await setWaiting(sql, id, null)
  if (outcome.confirmations < required) {
    return { kind: 'mined', confirmations: outcome.confirmations, blockNumber }
  }
  // The fee that UTXO inputs and outputs state is exact, and was checked against the signed bytes.
  const fee = byFamily(attempt.payload, { utxo: () => attempt.max_fee, evm: () => outcome.fee })
  return {
    kind: 'final',
    outcome: {
      transactionId: attempt.id,
      blockNumber,
      blockHash,
      confirmations: outcome.confirmations,
      fee: fee.toString(),
      succeeded: outcome.succeeded,
      ...(outcome.arrived === undefined ? {} : { arrived: outcome.arrived.toString() }),
    },
  }
}

/**
 * Reports an attempt in a mempool: only if it is stuck and cannot be replaced, or if a replacement is at the
 * signer, is there something to show.
 */
async function unmined(
  dependencies: WithdrawalChainDependencies,
  id: string,
  pursued: Pursued,
): Promise<FollowStep> {
  const lag = pursued.lagsInMs === undefined ? {} : { lagsInMs: pursued.lagsInMs }
  if (pursued.kind === 'waiting') {
    return { ...(await waitFor(dependencies, id, pursued.code, pursued.message)), ...lag }
  }
  await setWaiting(dependencies.sql, id, null)
  return { kind: 'unmined', ...lag }
}
