/**
 * A change of a merchant's controls, from its request until it takes effect: two people, then the cool-down.
 * The row is the truth.
 */

import {
  condition,
  defineSignal,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow'
import type { ControlChangeActivities } from '../activities/controls/control-change.js'
import { FOUR_EYES } from '../domain/controls/approval.js'
import type { ControlChangeState } from '../domain/controls/control-change.js'
import type { ControlChangeInput } from '../temporal/inputs.js'
import { describeApprovals, toMinute } from './describe-approvals.js'

/** A decision was stored. Only the stored rows are counted. */
const decide = defineSignal('decide')
/** A person withdrew the change. */
const revoked = defineSignal('revoked')

// No step is ever given up: it is retried until it succeeds.
const { advanceControlChange } = proxyLocalActivities<ControlChangeActivities>({
  startToCloseTimeout: '10s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})

/** Follows one change of the policy. */
export async function policyChange(input: ControlChangeInput): Promise<ControlChangeState> {
  return follow(input, 'Change of the policy')
}

/** Follows one whitelist entry, until it is active or can no longer become so. */
export async function whitelist(input: ControlChangeInput): Promise<ControlChangeState> {
  return follow(input, 'Whitelist entry')
}

/**
 * Follows the release of a held deposit, until two people have approved it or it can no longer be approved.
 */
export async function depositRelease(input: ControlChangeInput): Promise<ControlChangeState> {
  return follow(input, 'Release of a deposit')
}

async function follow({ id, title }: ControlChangeInput, what: string): Promise<ControlChangeState> {
  let signals = 0
  const wake = () => {
    signals++
  }
  setHandler(decide, wake)
  setHandler(revoked, wake)
  for (;;) {
    const seen = signals
    const { state, until, approvals } = await advanceControlChange(id, new Date().toISOString())
    const text = describe(state, until, approvals)
    setCurrentDetails(`**${what}**: ${title}\n\n${text}`)
    if (until === null) return state
    const ms = Math.max(1, Date.parse(until) - Date.now())
    await condition(() => signals !== seen, ms, { summary: text.slice(0, 200) })
  }
}

function describe(state: ControlChangeState, until: string | null, approvals: number): string {
  if (until === null) return state
  if (state === 'cooling_down') return `Approved; fully in effect from ${toMinute(until)}`
  return describeApprovals(approvals, FOUR_EYES.count, until)
}
