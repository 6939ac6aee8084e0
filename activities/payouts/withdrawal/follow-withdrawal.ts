/**
 * Follows a broadcast payout: finds out whether an attempt is mined, sends it again if the network forgot it,
 * and replaces it if it is stuck.
 */

import type { ChainAdapter, TransactionOutcome } from '../../../chains/adapter.js'
import { isLive, listAttempts, type SignedAttempt } from '../../../db/payouts/attempts/find-attempts.js'
import { markBroadcast, markMined } from '../../../db/payouts/attempts/track-broadcast.js'
import { loseWithdrawal } from '../../../db/payouts/lose-withdrawal.js'
import { findRow, type PayoutRow } from '../../../db/payouts/payout-row.js'
import {
  readWithdrawalState,
  toWithdrawalState,
  type WithdrawalState,
} from '../../../db/payouts/read-withdrawal-state.js'
import { setWaiting } from '../../../db/payouts/set-waiting.js'
import { type MinedOutcome, settleWithdrawal } from '../../../db/payouts/settle-withdrawal.js'
import { assertNever } from '../../../domain/assert-never.js'
import { byFamily } from '../../../domain/chain/by-family.js'
import {
  adapterOf,
  orWaitForNode,
  type WaitStep,
  type WithdrawalChainDependencies,
  waitFor,
  waitForResume,
} from './dependencies.js'
import { findConflict, type LostStep } from './find-conflict.js'
import { type Pursued, pursueReplacement, unchanged } from './pursue-replacement.js'
import { orReportFailure } from './report-failure.js'
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

/**
 * What became of the payout, with its row as it is then. `moved`: it is settled, or in another stage for
 * another reason.
 */
export type FollowedStep = (
  | { readonly kind: 'moved' }
  | Extract<FollowStep, { kind: 'mined' | 'unmined' | 'waiting' }>
) & { readonly state: WithdrawalState }

type Mined = Extract<TransactionOutcome, { kind: 'mined' }>

/** Asks the node about every attempt, regardless of the watcher's signals: whichever is mined has paid. */
export async function followWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<FollowStep> {
  const { sql } = dependencies
  const row = await findRow(sql, id)
  const live = (await listAttempts(sql, id)).filter(isLive)
  if (row.stage !== 'confirming' || live.length === 0) return { kind: 'gone' }
  const adapter = adapterOf(dependencies, row.network)
  return orWaitForNode(dependencies, id, row.network, async (): Promise<FollowStep> => {
    const before = await look(adapter, live)
    if (before.mined) return follow(dependencies, row, before.mined)
    const pursued = await pursueReplacement(dependencies, adapter, id)
    const all = unchanged(pursued) ?? (await listAttempts(sql, id))
    // The newest attempt goes first. If it was signed just now, no mempool has it yet.
    const first = all.find(isLive)
    if (first && before.inMempool === first.id) return unmined(dependencies, id, pursued)
    const sent = await sendAttempts(sql, adapter, id, all)
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
    const step = await (sent.pause
      ? waitForResume(dependencies, id, sent.pause)
      : waitFor(dependencies, id, why.code, why.message))
    return lagsInMs === undefined ? step : { ...step, lagsInMs }
  })
}

/** Follows the payout, and closes the books once an attempt is deep enough or none can be mined any more. */
export async function followToEnd(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<FollowedStep> {
  const { sql, networks } = dependencies
  let settled: PayoutRow | null = null
  const found = await orReportFailure(dependencies, id, 'Following the transaction', async () => {
    const followed = await followWithdrawal(dependencies, id)
    if (followed.kind === 'final') settled = await settleWithdrawal(sql, networks, id, followed.outcome)
    if (followed.kind === 'lost') await loseWithdrawal(sql, networks, id, followed)
    return followed
  })
  const state = settled ? toWithdrawalState(settled, 0) : await readWithdrawalState(sql, id)
  switch (found.kind) {
    case 'mined':
    case 'unmined':
    case 'waiting':
      return { ...found, state }
    case 'final':
    case 'lost':
    case 'gone':
      return { kind: 'moved', state }
    default:
      return assertNever(found)
  }
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
  row: PayoutRow,
  { attempt, outcome }: { readonly attempt: SignedAttempt; readonly outcome: Mined },
): Promise<FollowStep> {
  const { sql, networks } = dependencies
  const { id, required_confirmations: required } = row
  const { height: blockNumber, hash: blockHash } = outcome.block
  const block = { network: attempt.network, blockNumber, blockHash, required }
  // The watcher has stored it already. If a reorg takes it back meanwhile, the books are not closed.
  const stored = attempt.scanned_in === blockHash && row.transaction_hash === attempt.txid
  if (!stored && !(await markMined(sql, networks, id, attempt.id, block))) {
    return waitFor(
      dependencies,
      id,
      'NODES_DISAGREE',
      `A node has ${attempt.txid} in block ${blockNumber} (${blockHash}), and the scanned chain says otherwise; waiting until they agree`,
    )
  }
  if (row.waiting !== null) await setWaiting(sql, id, null)
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
