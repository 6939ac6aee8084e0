/** Advances a control change as far as its stored decisions and the time allow. */

import { assertNever } from '../../../domain/assert-never.js'
import type { Networks } from '../../../domain/chain/network.js'
import { FOUR_EYES } from '../../../domain/controls/approval.js'
import { type ControlChangeState, isControlChangeSettled } from '../../../domain/controls/control-change.js'
import { KeyturnError } from '../../../domain/errors.js'
import { applyResolution } from '../../books/exceptions/apply-resolution.js'
import { closePeriod } from '../../books/periods/close-period.js'
import { isReconciled } from '../../books/periods/is-reconciled.js'
import { reopenPeriod } from '../../books/periods/reopen-period.js'
import type { Sql, Transaction } from '../../connect.js'
import { releaseDeposit } from '../../deposits/decide-held-deposit.js'
import { repeatTransaction } from '../../repeat-transaction.js'
import { countStoredApprovals, decideSubject } from '../approvals/decide-subject.js'
import { resumeSettlement } from '../pauses/resume-settlement.js'
import { applyPolicyChange } from '../policy/apply-policy-change.js'
import { type ControlChangeRow, type DepositReleaseRow, lockControlChange } from './control-change-row.js'
import { moveControlChange } from './move-control-change.js'

/** Progress of a change. It is small and JSON, because the workflow's history stores it. */
export interface ControlChangeProgress {
  readonly state: ControlChangeState
  /** Time (ISO 8601) until which it waits without a further decision. `null` once it is settled. */
  readonly until: string | null
  readonly approvals: number
}

const ACTOR = 'system:controls'
/** Interval at which an approved close checks whether its reconciliation has ended. */
const POLL_MS = 5_000

/**
 * Decides, cools down, takes effect or expires. It is safe to call at any time and any number of times. Only
 * stored, signed decisions count.
 *
 * @param now - Time of the process that waits.
 */
export async function advanceControlChange(
  sql: Sql,
  networks: Networks,
  id: string,
  now: Date,
): Promise<ControlChangeProgress> {
  return repeatTransaction(sql, async (tx) => {
    const row = await lockControlChange(tx, id)
    switch (row.state) {
      case 'pending_approval':
        await decide(tx, networks, row, now)
        break
      case 'cooling_down':
        if (row.effective_at && row.effective_at <= now) await takeEffect(tx, row, now)
        break
      case 'effective':
      case 'superseded':
      case 'rejected':
      case 'expired':
      case 'revoked':
        break
      default:
        assertNever(row.state)
    }
    return await progress(tx, id, now)
  })
}

async function decide(tx: Transaction, networks: Networks, row: ControlChangeRow, now: Date): Promise<void> {
  const mayApprove = row.kind !== 'period_close' || (await isReconciled(tx, row))
  const verdict = await decideSubject(tx, row, { requirement: FOUR_EYES, mayApprove, now })
  switch (verdict.kind) {
    case 'waiting':
      return
    case 'approved':
      return approve(tx, networks, row, now, verdict.cause)
    case 'rejected':
      return moveControlChange(tx, row, { to: 'rejected', at: now, actor: verdict.actor })
    case 'expired':
      return moveControlChange(tx, row, { to: 'expired', at: now, actor: ACTOR })
    default:
      assertNever(verdict)
  }
}

async function approve(
  tx: Transaction,
  networks: Networks,
  row: ControlChangeRow,
  now: Date,
  cause: string,
): Promise<void> {
  if (row.kind !== 'policy' && row.kind !== 'whitelist') {
    const applied = await applyAtOnce(tx, networks, row)
    const to = applied === true ? 'effective' : 'superseded'
    const why = typeof applied === 'string' ? applied : cause
    await moveControlChange(tx, row, { to, at: now, actor: ACTOR, cause: why, effectiveAt: now })
    return
  }
  // Fields that tighten the policy take effect at once, even if the same change also loosens others.
  if (row.kind === 'policy') await applyPolicyChange(tx, row, 'tightening', now)
  const loosens = row.kind === 'whitelist' || row.intent.changes.some((edit) => edit.effect === 'loosening')
  const coolDown = loosens ? Number(row.cool_down_ms) : 0
  const effectiveAt = new Date(now.getTime() + coolDown)
  if (coolDown > 0) {
    await moveControlChange(tx, row, { to: 'cooling_down', at: now, actor: ACTOR, cause, effectiveAt })
    return
  }
  if (row.kind === 'policy') await applyPolicyChange(tx, row, 'loosening', now)
  await moveControlChange(tx, row, { to: await endOf(tx, row), at: now, actor: ACTOR, cause, effectiveAt })
}

/**
 * Applies a change that has no cool-down.
 *
 * @returns Whether it was applied. A text says why it was not, where that is known.
 */
async function applyAtOnce(
  tx: Transaction,
  networks: Networks,
  row: Exclude<ControlChangeRow, { kind: 'policy' | 'whitelist' }>,
): Promise<boolean | string> {
  switch (row.kind) {
    case 'deposit_release':
      return releaseApproved(tx, networks, row)
    case 'exception_resolution':
      return (await applyResolution(tx, networks, row)) ?? true
    case 'period_close':
      return (await closePeriod(tx, networks, row, ACTOR)) ?? true
    case 'period_reopen':
      return reopenPeriod(tx, row, ACTOR)
    case 'settlement_resume':
      return resumeSettlement(tx, row, ACTOR)
    default:
      return assertNever(row)
  }
}

async function takeEffect(tx: Transaction, row: ControlChangeRow, now: Date): Promise<void> {
  if (row.kind === 'policy') await applyPolicyChange(tx, row, 'loosening', now)
  await moveControlChange(tx, row, {
    to: await endOf(tx, row),
    at: now,
    actor: ACTOR,
    cause: 'cool-down over',
  })
}

/** Releases the deposit. Returns `false` if it is no longer held, or was held again after the request. */
async function releaseApproved(
  tx: Transaction,
  networks: Networks,
  row: DepositReleaseRow,
): Promise<boolean> {
  const { deposit, epoch, reason, initiator } = row.intent
  try {
    await tx.savepoint((point) =>
      releaseDeposit(point, networks, {
        merchantId: row.merchant_id,
        id: deposit,
        epoch,
        by: initiator,
        reason,
        actor: ACTOR,
      }),
    )
    return true
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'INVALID_STATE') return false
    throw error
  }
}

/** Returns `effective` if every field took effect, or `superseded` if a newer change had already replaced one. */
async function endOf(tx: Transaction, { id }: ControlChangeRow): Promise<'effective' | 'superseded'> {
  const [row] = await tx<{ overtaken: boolean }[]>`
    SELECT cardinality(superseded) > 0 AS overtaken FROM control_changes WHERE id = ${id}`
  return row?.overtaken ? 'superseded' : 'effective'
}

async function progress(tx: Transaction, id: string, now: Date): Promise<ControlChangeProgress> {
  const row = await lockControlChange(tx, id)
  const until = row.state === 'cooling_down' ? row.effective_at : row.expires_at
  const approvals = await countStoredApprovals(tx, row, FOUR_EYES)
  if (isControlChangeSettled(row.state)) return { state: row.state, until: null, approvals }
  // An approved close waits for its reconciliation, which sends no signal.
  const next =
    approvals >= FOUR_EYES.count && row.state === 'pending_approval'
      ? new Date(Math.min(now.getTime() + POLL_MS, row.expires_at.getTime()))
      : until
  return { state: row.state, until: next?.toISOString() ?? null, approvals }
}
