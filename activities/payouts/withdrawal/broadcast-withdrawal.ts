/** Sends a signed withdrawal for the first time, until a node has it. */

import { findPause } from '../../../db/controls/pauses/find-pause.js'
import { isLive, listAttempts } from '../../../db/payouts/attempts/find-attempts.js'
import { markBroadcast, startBroadcast } from '../../../db/payouts/attempts/track-broadcast.js'
import { toWithdrawalState, type WithdrawalState } from '../../../db/payouts/read-withdrawal-state.js'
import {
  adapterOf,
  orWaitForNode,
  railOf,
  type WaitStep,
  type WithdrawalChainDependencies,
  waitFor,
  waitForResume,
} from './dependencies.js'
import { findConflict, type LostStep } from './find-conflict.js'
import { pursueReplacement, unchanged } from './pursue-replacement.js'
import { sendAttempts } from './send-attempts.js'

/**
 * `done`: the row is confirming, or in another stage for another reason. `state` is absent when it was not
 * read.
 */
export type BroadcastStep = { readonly kind: 'done'; readonly state?: WithdrawalState } | WaitStep | LostStep

/**
 * Moves signed → broadcasting unless settlement is paused, then → confirming once a node has the transaction, or another transaction that
 * excludes it.
 */
export async function broadcastWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<BroadcastStep> {
  const { sql, networks } = dependencies
  const row = await startBroadcast(sql, networks, id)
  const { stage, network } = row
  if (stage === 'signed') {
    const pause = await findPause(sql, railOf(row))
    return pause ? waitForResume(dependencies, id, pause) : { kind: 'done' }
  }
  if (stage !== 'broadcasting') return { kind: 'done' }
  const adapter = adapterOf(dependencies, network)
  return orWaitForNode(dependencies, id, network, async () => {
    const pursued = await pursueReplacement(dependencies, adapter, id, row)
    const all = unchanged(pursued) ?? (await listAttempts(sql, id))
    if (!all.some(isLive)) return { kind: 'done' } as const
    const sent = await sendAttempts(sql, adapter, id, all)
    if (sent.known) {
      const confirming = await markBroadcast(sql, networks, id, sent.attempt.id)
      return { kind: 'done', state: toWithdrawalState(confirming, 0) } as const
    }
    const lost = await findConflict(dependencies, adapter, id)
    if (lost) return lost
    if (sent.pause) return waitForResume(dependencies, id, sent.pause)
    if (pursued.kind === 'waiting') return waitFor(dependencies, id, pursued.code, pursued.message)
    return waitFor(dependencies, id, 'BROADCAST_UNCERTAIN', `Sending the same bytes again: ${sent.reason}`)
  })
}
