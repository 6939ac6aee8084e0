/**
 * A change of a merchant's controls, from its request to the day it holds: two people, then the cool-down.
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

/** A decision was stored: the stored rows are counted, not this. */
const decide = defineSignal('decide')
/** The change was taken back. */
const revoked = defineSignal('revoked')

// No step is ever given up: what cannot be done now is tried again until it can.
const { advanceControlChange } = proxyLocalActivities<ControlChangeActivities>({
  startToCloseTimeout: '10s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})

/** One change of the policy. */
export async function policyChange(input: ControlChangeInput): Promise<ControlChangeState> {
  return follow(input, 'Change of the policy')
}

/** One whitelist entry, until it is active or will never be. */
export async function whitelist(input: ControlChangeInput): Promise<ControlChangeState> {
  return follow(input, 'Whitelist entry')
}

/** The release of a held deposit, until two people approved it or it will not be. */
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
  if (state === 'cooling_down') return `Approved; holds entirely from ${toMinute(until)}`
  return describeApprovals(approvals, FOUR_EYES.count, until)
}
