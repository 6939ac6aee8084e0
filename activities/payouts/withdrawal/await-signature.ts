/** Waits for the customer's signer to answer. */

import { Context } from '@temporalio/activity'
import { findNewlyListed } from '../../../db/controls/sanctions/find-newly-listed.js'
import { waitForNotice } from '../../../db/notices.js'
import { type AttemptRow, findAttempt } from '../../../db/payouts/attempts/find-attempts.js'
import { rebuildWithdrawal } from '../../../db/payouts/rebuild-withdrawal.js'
import { setWaiting } from '../../../db/payouts/set-waiting.js'
import type { SignerStop } from '../../../domain/signing/signer-protocol.js'
import type { WithdrawalChainDependencies } from './dependencies.js'

/**
 * How long one call looks: a signer that is there answers within seconds. One that is away must not keep an activity slot of
 * every withdrawal it has to sign, so the workflow waits instead, for a signal or its timer.
 */
const LOOK_MS = { online: 45_000, offline: 2_000 } as const
/** Also the longest between two heartbeats. */
const GLANCE_MS = 2_000

export type SignatureWait =
  | { readonly kind: 'answered' }
  /** No request is open: look at the row. */
  | { readonly kind: 'gone' }
  | {
      readonly kind: 'waiting'
      /** True while no signer has taken the request. */
      readonly queued: boolean
      /** True while the signer asks for work from time to time. */
      readonly online: boolean
      readonly message: string
    }

/**
 * Returns as soon as there is an answer. A request that no signer has taken, and that pays what came onto the sanctions list since it
 * was built, is taken back: the next build says what becomes of it. Safe to run again, on any worker.
 */
export async function awaitSignature(
  { sql, networks, signatureLookMs = LOOK_MS }: WithdrawalChainDependencies,
  id: string,
): Promise<SignatureWait> {
  const context = Context.current()
  let until: number | null = null
  for (;;) {
    context.heartbeat()
    const payment = await findAttempt(sql, id)
    if (!payment || payment.request_state === 'withdrawn') return { kind: 'gone' }
    if (payment.answer) return { kind: 'answered' }
    if (payment.request_state === 'queued' && (await findNewlyListed(sql, [id])).has(id)) {
      await rebuildWithdrawal(sql, networks, id, 'taken back: a destination came onto the sanctions list')
      // A signer that took it a moment ago may have signed it.
      if ((await findAttempt(sql, id))?.id !== payment.id) return { kind: 'gone' }
    }
    const now = Date.now()
    until ??= now + (payment.signer_online ? signatureLookMs.online : signatureLookMs.offline)
    const message = explain(payment)
    await setWaiting(sql, id, { code: codeOf(payment), message })
    if (now >= until) {
      return {
        kind: 'waiting',
        queued: payment.request_state === 'queued',
        online: payment.signer_online,
        message,
      }
    }
    await waitForNotice(sql, 'signing_answer', payment.request_id, GLANCE_MS, context.cancellationSignal)
    context.cancellationSignal.throwIfAborted()
  }
}

function codeOf(payment: AttemptRow): string {
  if (!payment.signer_online) return 'SIGNER_OFFLINE'
  return isStopped(payment) ? 'SIGNER_STOPPED' : 'AWAITING_SIGNER'
}

/** By its own word, or because it sent the request back for that reason. */
function isStopped({ signer_stopped, postponed, request_state }: AttemptRow): boolean {
  return signer_stopped !== null || (postponed !== null && request_state === 'queued')
}

const STOPPED: Readonly<Record<SignerStop, string>> = {
  paused: 'is paused by its operator',
  journal_stale: 'has another journal than the platform last saw and is locked',
  policy_unreadable: 'cannot read its policy',
}

function explain(payment: AttemptRow): string {
  const since = payment.request_created_at.toISOString()
  if (payment.signer_online && isStopped(payment)) {
    const why = payment.signer_stopped
      ? `${STOPPED[payment.signer_stopped.reason]} since ${payment.signer_stopped.since}`
      : `is stopped: ${payment.postponed?.message}`
    return `The customer's signer "${payment.signer_name}" ${why}; it goes on with the approvals it has once that is over`
  }
  if (payment.signer_online) {
    return payment.request_state === 'leased'
      ? `The customer's signer "${payment.signer_name}" has the request and has not answered yet`
      : `Waiting for the customer's signer "${payment.signer_name}" since ${since}`
  }
  const seen = payment.signer_seen_at ? `last seen ${payment.signer_seen_at.toISOString()}` : 'never seen'
  return `The customer's signer "${payment.signer_name}" is offline (${seen}); waiting since ${since}`
}
