/** Waits for the customer's signer to answer. */

import { Context } from '@temporalio/activity'
import { findNewlyListed } from '../../../db/controls/sanctions/find-newly-listed.js'
import { type NoticeWatch, watchNotices } from '../../../db/notices.js'
import { type AttemptRow, findAttempt } from '../../../db/payouts/attempts/find-attempts.js'
import { rebuildWithdrawal } from '../../../db/payouts/rebuild-withdrawal.js'
import { setWaiting } from '../../../db/payouts/set-waiting.js'
import type { SignerStop } from '../../../domain/signing/signer-protocol.js'
import type { WithdrawalChainDependencies } from './dependencies.js'

/**
 * How long one call waits for the answer, below the time-out of the activity. In the pause before the next
 * call no step waits, and a payout that is answered then keeps all with higher nonces waiting: so an online
 * signer gets a long call. An offline one must not occupy an activity slot for each withdrawal that it has
 * to sign, so the workflow then waits for a signal or its timer.
 */
const LOOK_MS = { online: 100_000, offline: 2_000 } as const
/**
 * The same for a payout that was built a moment ago and goes on as soon as it is signed. A longer wait is the
 * workflow's, which shows it.
 */
const BRIEF_LOOK_MS = { online: 5_000, offline: 0 } as const
/**
 * Interval of polls, and so the longest time between two heartbeats. An answer, or a request that is taken
 * back, ends the wait at once. A poll sees what else changes, at the price of three statements for each of
 * all payouts that wait.
 */
const GLANCE_MS = { brief: 2_000, patient: 8_000 } as const
/** Time in which a payout that was built a moment ago is expected to be signed. */
const PASSING_MS = 1_000

export type SignatureWait =
  | { readonly kind: 'answered' }
  /** No request is open: read the row again. */
  | { readonly kind: 'gone' }
  | ({ readonly kind: 'waiting' } & Unanswered)

interface Unanswered {
  /** Whether no signer has claimed the request yet. */
  readonly queued: boolean
  /** Whether the signer still asks for work from time to time. */
  readonly online: boolean
  readonly message: string
}

/** The signer has not answered in the time of one call. */
export type AwaitedSignature = { readonly kind: 'unsigned' } & Unanswered

/**
 * Returns as soon as there is an answer. Takes back a request that no signer has claimed if its destination
 * came onto the sanctions list after it was built; the next build decides what becomes of the withdrawal.
 * Safe to run again, on any worker.
 *
 * @param brief - Whether the payout was built a moment ago. What is seen within the first second then neither
 * compares it with the sanctions list again nor stores why it waits.
 */
export async function awaitSignature(
  dependencies: WithdrawalChainDependencies,
  id: string,
  brief = false,
): Promise<SignatureWait> {
  // The watch begins before the first query, so that no answer comes between a query and its wait.
  const watch = watchNotices(dependencies.sql, 'signing_answer', id)
  try {
    return await poll(dependencies, id, brief, watch)
  } finally {
    watch.end()
  }
}

async function poll(
  { sql, networks, signatureLookMs = LOOK_MS }: WithdrawalChainDependencies,
  id: string,
  brief: boolean,
  watch: NoticeWatch,
): Promise<SignatureWait> {
  const lookMs = brief ? BRIEF_LOOK_MS : signatureLookMs
  const glanceMs = brief ? GLANCE_MS.brief : GLANCE_MS.patient
  const context = Context.current()
  const began = Date.now()
  let until: number | null = null
  let shown: string | null = null
  for (;;) {
    context.heartbeat()
    const attempt = await findAttempt(sql, id)
    // The workflow waits for a further attempt while it follows those before.
    if (!attempt || attempt.request_state === 'withdrawn' || attempt.cause !== 'first')
      return { kind: 'gone' }
    if (attempt.answer) return { kind: 'answered' }
    const now = Date.now()
    // Listening wakes the wait once, also without an answer.
    const passing = brief && (until === null || now - began < PASSING_MS)
    if (!passing && attempt.request_state === 'queued' && (await findNewlyListed(sql, [id])).has(id)) {
      await rebuildWithdrawal(sql, networks, id, 'taken back: a destination came onto the sanctions list')
      // A signer that claimed the request a moment ago may have signed it.
      if ((await findAttempt(sql, id))?.id !== attempt.id) return { kind: 'gone' }
    }
    // Of a signer that goes offline meanwhile, perhaps to be restarted, the answer is still awaited.
    until ??= now + (attempt.signer_online ? lookMs.online : lookMs.offline)
    const message = explain(attempt)
    if (!passing && message !== shown) await setWaiting(sql, id, { code: codeOf(attempt), message })
    if (!passing) shown = message
    if (now >= until) {
      return {
        kind: 'waiting',
        queued: attempt.request_state === 'queued',
        online: attempt.signer_online,
        message,
      }
    }
    await watch.wait(Math.min(glanceMs, until - now), context.cancellationSignal)
    context.cancellationSignal.throwIfAborted()
  }
}

function codeOf(attempt: AttemptRow): string {
  if (!attempt.signer_online) return 'SIGNER_OFFLINE'
  return isStopped(attempt) ? 'SIGNER_STOPPED' : 'AWAITING_SIGNER'
}

/** Whether the signer reported that it is stopped, or returned the request for that reason. */
function isStopped({ signer_stopped, postponed, request_state }: AttemptRow): boolean {
  return signer_stopped !== null || (postponed !== null && request_state === 'queued')
}

const STOPPED: Readonly<Record<SignerStop, string>> = {
  paused: 'is paused by its operator',
  journal_stale: 'has another journal than the platform last saw and is locked',
  policy_unreadable: 'cannot read its policy',
}

function explain(attempt: AttemptRow): string {
  const since = attempt.request_created_at.toISOString()
  if (attempt.signer_online && isStopped(attempt)) {
    const why = attempt.signer_stopped
      ? `${STOPPED[attempt.signer_stopped.reason]} since ${attempt.signer_stopped.since}`
      : `is stopped: ${attempt.postponed?.message}`
    return `The customer's signer "${attempt.signer_name}" ${why}; it goes on with the approvals it has once that is over`
  }
  if (attempt.signer_online) {
    return attempt.request_state === 'leased'
      ? `The customer's signer "${attempt.signer_name}" has the request and has not answered yet`
      : `Waiting for the customer's signer "${attempt.signer_name}" since ${since}`
  }
  const seen = attempt.signer_seen_at ? `last seen ${attempt.signer_seen_at.toISOString()}` : 'never seen'
  return `The customer's signer "${attempt.signer_name}" is offline (${seen}); waiting since ${since}`
}
