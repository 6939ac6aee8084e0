/** Takes an approved payout to the network: builds it, waits for its signature, checks that and sends it. */

import { Context } from '@temporalio/activity'
import { loseWithdrawal } from '../../../db/payouts/lose-withdrawal.js'
import { readWithdrawalState, type WithdrawalState } from '../../../db/payouts/read-withdrawal-state.js'
import { type AwaitedSignature, awaitSignature } from './await-signature.js'
import { broadcastWithdrawal } from './broadcast-withdrawal.js'
import { buildWithdrawal } from './build-withdrawal.js'
import type { WaitStep, WithdrawalChainDependencies } from './dependencies.js'
import { orReportFailure, reportFailure } from './report-failure.js'
import { takeAnswer } from './take-answer.js'

/** What became of the payout. `state` is its row, read after the last step. */
export type CarryStep =
  /** It is in another stage, or a brief wait for its signer is over. */
  | { readonly kind: 'moved'; readonly state: WithdrawalState }
  /** A step cannot be taken now. */
  | { readonly kind: 'waiting'; readonly message: string; readonly state: WithdrawalState }
  /** The signer has not answered. */
  | (AwaitedSignature & { readonly state: WithdrawalState })

/** Outcome of one step. `null`: go on with the next one. `left`: there is no next one now. */
type Step = WaitStep | AwaitedSignature | Extract<CarryStep, { kind: 'moved' }> | 'left' | null

/** Interval of heartbeats, well below the time-out. */
const HEARTBEAT_MS = 3_000

/**
 * Takes one step after the other until the payout waits for something, or is sent. Each step is durable: it
 * commits its stage, and does nothing for a row in another one. So a process that dies between two steps
 * loses nothing, and the next one passes quickly over what is done. Safe to run twice, also at the same time.
 *
 * @param patient - Whether to wait for the signer as long as a call may. Otherwise the wait is brief.
 */
export async function carryWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
  patient: boolean,
): Promise<CarryStep> {
  const context = Context.current()
  // Heartbeats show operators what is under way, among the pending activities in the Temporal UI.
  let shown = ''
  const beat = () => context.heartbeat(shown)
  const timer = setInterval(beat, HEARTBEAT_MS)
  try {
    for (const { name, take } of STEPS) {
      shown = name
      beat()
      context.cancellationSignal.throwIfAborted()
      const step = await take(dependencies, id, patient)
      if (step === 'left') break
      if (step === null) continue
      if (step.kind === 'moved') return step
      const state = await readWithdrawalState(dependencies.sql, id)
      return step.kind === 'waiting' ? { kind: 'waiting', message: step.message, state } : { ...step, state }
    }
    return { kind: 'moved', state: await readWithdrawalState(dependencies.sql, id) }
  } finally {
    clearInterval(timer)
  }
}

type Take = (dependencies: WithdrawalChainDependencies, id: string, patient: boolean) => Promise<Step>

const BUILDING = 'Building the transaction'
const SENDING = 'Sending the signed bytes'
const STEPS: readonly { readonly name: string; readonly take: Take }[] = [
  {
    name: BUILDING,
    take: (dependencies, id) =>
      orReportFailure(dependencies, id, BUILDING, async () => {
        const built = await buildWithdrawal(dependencies, id)
        return built.kind === 'waiting' ? built : null
      }),
  },
  { name: 'Waiting for the signer', take: takeSignature },
  {
    name: SENDING,
    take: (dependencies, id) =>
      orReportFailure(dependencies, id, SENDING, async () => {
        const sent = await broadcastWithdrawal(dependencies, id)
        if (sent.kind === 'lost') await loseWithdrawal(dependencies.sql, dependencies.networks, id, sent)
        if (sent.kind === 'done' && sent.state) return { kind: 'moved', state: sent.state }
        return sent.kind === 'waiting' ? sent : null
      }),
  },
]

/**
 * Waits for the signature and takes it. Signed bytes that wait to be sent need none. Returns `left` when a
 * brief wait was not long enough.
 */
async function takeSignature(
  dependencies: WithdrawalChainDependencies,
  id: string,
  patient: boolean,
): Promise<Step> {
  const waited = await reportFailure(dependencies, id, 'Waiting for the signer', () =>
    awaitSignature(dependencies, id, !patient),
  )
  if (waited.kind === 'gone') return null
  if (waited.kind === 'waiting') return patient ? { ...waited, kind: 'unsigned' } : 'left'
  await reportFailure(dependencies, id, "Checking the signer's answer", () => takeAnswer(dependencies, id))
  return null
}
