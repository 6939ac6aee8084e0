/** Looks what became of a broadcast withdrawal, sends it again where the network has forgotten it, and replaces it when it lags. */

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
  /** @param lagsInMs - When it is to be replaced by itself, where that is set up. */
  | { readonly kind: 'unmined'; readonly lagsInMs?: number }
  /** Nothing to follow: look at the row. */
  | { readonly kind: 'gone' }
  | (WaitStep & { readonly lagsInMs?: number })
  | LostStep

type Mined = Extract<TransactionOutcome, { kind: 'mined' }>

/** Asks the node itself about every attempt, whatever the watcher has signalled: whichever is mined has paid. */
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
    const payments = all.filter(isLive)
    // An attempt that was signed just now is in no mempool yet; the newest goes first.
    const [first] = payments
    if (first && before.inMempool === first.id) return unmined(dependencies, id, pursued)
    const sent = await sendAttempts(adapter, payments, listWithheld(all))
    if (sent.known) {
      await markBroadcast(sql, dependencies.networks, id, sent.payment.id)
      return unmined(dependencies, id, pursued)
    }
    const lost = await findConflict(dependencies, adapter, id)
    if (lost) return lost
    const lagsInMs = pursued.lagsInMs
    // Why nothing dearer can be sent says more than that the same bytes are refused.
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

/** Which attempt is mined, or else the newest that a mempool has. */
async function look(
  adapter: ChainAdapter,
  payments: readonly SignedAttempt[],
): Promise<{
  readonly mined: { readonly payment: SignedAttempt; readonly outcome: Mined } | null
  readonly inMempool: string | null
}> {
  let inMempool: string | null = null
  for (const payment of payments) {
    const outcome = await adapter.outcome(payment.txid)
    if (outcome.kind === 'mined') return { mined: { payment, outcome }, inMempool }
    if (outcome.kind === 'mempool') inMempool ??= payment.id
  }
  return { mined: null, inMempool }
}

async function follow(
  dependencies: WithdrawalChainDependencies,
  id: string,
  { payment, outcome }: { readonly payment: SignedAttempt; readonly outcome: Mined },
  required: number,
): Promise<FollowStep> {
  const { sql, networks } = dependencies
  const { height: blockNumber, hash: blockHash } = outcome.block
  const block = { network: payment.network, blockNumber, blockHash, required }
  if (!(await markMined(sql, networks, id, payment.id, block))) {
    return waitFor(
      dependencies,
      id,
      'NODES_DISAGREE',
      `A node has ${payment.txid} in block ${blockNumber} (${blockHash}), and the scanned chain says otherwise; waiting until they agree`,
    )
  }
  await setWaiting(sql, id, null)
  if (outcome.confirmations < required) {
    return { kind: 'mined', confirmations: outcome.confirmations, blockNumber }
  }
  // What UTXO inputs and outputs say is exact and was checked against the signed bytes.
  const fee = byFamily(payment.payload, { utxo: () => payment.max_fee, evm: () => outcome.fee })
  return {
    kind: 'final',
    outcome: {
      transactionId: payment.id,
      blockNumber,
      blockHash,
      confirmations: outcome.confirmations,
      fee: fee.toString(),
      succeeded: outcome.succeeded,
      ...(outcome.arrived === undefined ? {} : { arrived: outcome.arrived.toString() }),
    },
  }
}

/** In a mempool: nothing to say, unless it lags and cannot be helped, or a dearer attempt is at the signer. */
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
