/** Sends a signed withdrawal for the first time, until a node has it. */

import { isLive, listAttempts, listWithheld } from '../../../db/payouts/attempts/find-attempts.js'
import { markBroadcast, startBroadcast } from '../../../db/payouts/attempts/track-broadcast.js'
import { readWithdrawalState } from '../../../db/payouts/read-withdrawal-state.js'
import {
  adapterOf,
  orWaitForNode,
  type WaitStep,
  type WithdrawalChainDependencies,
  waitFor,
} from './dependencies.js'
import { findConflict, type LostStep } from './find-conflict.js'
import { pursueReplacement } from './pursue-replacement.js'
import { sendAttempts } from './send-attempts.js'

/** `done`: read the row again, which is confirming. */
export type BroadcastStep = { readonly kind: 'done' } | WaitStep | LostStep

/**
 * Moves signed → broadcasting, then → confirming once a node has the transaction, or another transaction that
 * excludes it.
 */
export async function broadcastWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<BroadcastStep> {
  const { sql, networks } = dependencies
  await startBroadcast(sql, networks, id)
  const { stage } = await readWithdrawalState(sql, id)
  const [newest] = (await listAttempts(sql, id)).filter(isLive)
  if (stage !== 'broadcasting' || !newest) return { kind: 'done' }
  const adapter = adapterOf(dependencies, newest.network)
  return orWaitForNode(dependencies, id, newest.network, async () => {
    const pursued = await pursueReplacement(dependencies, adapter, id)
    const all = await listAttempts(sql, id)
    const attempts = all.filter(isLive)
    const sent = await sendAttempts(adapter, attempts, listWithheld(all))
    if (sent.known) {
      await markBroadcast(sql, networks, id, sent.attempt.id)
      return { kind: 'done' } as const
    }
    const lost = await findConflict(dependencies, adapter, id)
    if (lost) return lost
    if (pursued.kind === 'waiting') return waitFor(dependencies, id, pursued.code, pursued.message)
    return waitFor(dependencies, id, 'BROADCAST_UNCERTAIN', `Sending the same bytes again: ${sent.reason}`)
  })
}
