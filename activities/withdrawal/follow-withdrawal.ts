/** Looks what became of a broadcast transaction, and sends it again where the network has forgotten it. */

import { findPayment } from '../../db/withdrawals/find-payment.js'
import { readWithdrawalState } from '../../db/withdrawals/read-withdrawal-state.js'
import { setWaiting } from '../../db/withdrawals/set-waiting.js'
import type { MinedOutcome } from '../../db/withdrawals/settle-withdrawal.js'
import { markMined, noteConflict } from '../../db/withdrawals/track-broadcast.js'
import { sendSigned } from './broadcast-withdrawal.js'
import {
  adapterOf,
  orWaitForNode,
  type WaitStep,
  type WithdrawalChainDependencies,
  waitFor,
} from './dependencies.js'
import { findConflict, type LostStep } from './find-conflict.js'

export type FollowStep =
  /** Deep enough: the books can be closed. */
  | { readonly kind: 'final'; readonly outcome: MinedOutcome }
  | { readonly kind: 'mined'; readonly confirmations: number; readonly blockNumber: number }
  | { readonly kind: 'unmined' }
  /** Nothing to follow: look at the row. */
  | { readonly kind: 'gone' }
  | WaitStep
  | LostStep

/** Asks the node itself, whatever the watcher has signalled. */
export async function followWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<FollowStep> {
  const { sql } = dependencies
  const { stage, requiredConfirmations: required } = await readWithdrawalState(sql, id)
  const payment = await findPayment(sql, id)
  if (stage !== 'confirming' || !payment?.txid) return { kind: 'gone' }
  const { txid } = payment
  const adapter = adapterOf(dependencies, payment.network)
  return orWaitForNode(dependencies, id, payment.network, async (): Promise<FollowStep> => {
    const outcome = await adapter.outcome(txid)
    if (outcome.kind === 'mined') {
      const { height: blockNumber, hash: blockHash } = outcome.block
      await setWaiting(sql, id, null)
      await markMined(sql, payment.id, { blockNumber, blockHash, required })
      if (outcome.confirmations < required) {
        return { kind: 'mined', confirmations: outcome.confirmations, blockNumber }
      }
      // What UTXO inputs and outputs say is exact and was checked against the signed bytes.
      const fee = payment.payload.family === 'utxo' ? payment.max_fee : outcome.fee
      return {
        kind: 'final',
        outcome: {
          transactionId: payment.id,
          blockNumber,
          blockHash,
          confirmations: outcome.confirmations,
          fee: fee.toString(),
          succeeded: outcome.succeeded,
        },
      }
    }
    if (outcome.kind === 'mempool') {
      await setWaiting(sql, id, null)
      await noteConflict(sql, payment.id, null)
      return { kind: 'unmined' }
    }
    const sent = await sendSigned(adapter, payment)
    if (sent.known) return { kind: 'unmined' }
    const lost = await findConflict(dependencies, adapter, payment, required)
    return (
      lost ??
      waitFor(
        dependencies,
        id,
        'NOT_IN_MEMPOOL',
        `The network forgot the transaction and does not take it again: ${sent.reason}`,
      )
    )
  })
}
