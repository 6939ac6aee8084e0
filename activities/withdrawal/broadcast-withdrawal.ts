/** Sends the signed bytes. An error means unknown, so the same bytes go again; they are never signed anew for that. */

import type { BroadcastOutcome, ChainAdapter } from '../../chains/adapter.js'
import { findPayment, type PaymentRow } from '../../db/withdrawals/find-payment.js'
import { readWithdrawalState } from '../../db/withdrawals/read-withdrawal-state.js'
import { markBroadcast, startBroadcast } from '../../db/withdrawals/track-broadcast.js'
import {
  adapterOf,
  orWaitForNode,
  type WaitStep,
  type WithdrawalChainDependencies,
  waitFor,
} from './dependencies.js'
import { findConflict, type LostStep } from './find-conflict.js'

/** `done`: look at the row, it is confirming. */
export type BroadcastStep = { readonly kind: 'done' } | WaitStep | LostStep

/** Signed → broadcasting → confirming, once a node has the transaction. */
export async function broadcastWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<BroadcastStep> {
  const { sql, networks } = dependencies
  await startBroadcast(sql, networks, id)
  const { stage, requiredConfirmations } = await readWithdrawalState(sql, id)
  const payment = await findPayment(sql, id)
  if (stage !== 'broadcasting' || !payment) return { kind: 'done' }
  const adapter = adapterOf(dependencies, payment.network)
  return orWaitForNode(dependencies, id, payment.network, async () => {
    const sent = await sendSigned(adapter, payment)
    if (sent.known) {
      await markBroadcast(sql, networks, id, payment.id)
      return { kind: 'done' } as const
    }
    const lost = await findConflict(dependencies, adapter, payment, requiredConfirmations)
    return (
      lost ?? waitFor(dependencies, id, 'BROADCAST_UNCERTAIN', `Sending the same bytes again: ${sent.reason}`)
    )
  })
}

/** Sends the stored bytes and, when the node does not say yes, asks whether it has them all the same. */
export async function sendSigned(
  adapter: ChainAdapter,
  payment: PaymentRow,
): Promise<{ readonly known: true } | { readonly known: false; readonly reason: string }> {
  if (payment.signed_transaction === null || payment.txid === null) {
    throw new Error(`Transaction ${payment.id} is not signed`)
  }
  const sent: BroadcastOutcome = await adapter.broadcast(payment.signed_transaction)
  if (sent.kind === 'accepted' || sent.kind === 'already_known') return { known: true }
  const { kind } = await adapter.outcome(payment.txid)
  return kind === 'unknown' ? { known: false, reason: sent.reason } : { known: true }
}
