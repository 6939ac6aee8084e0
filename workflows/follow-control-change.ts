/** Follows a control change from its request to its end. The row is the truth; the workflow sleeps and wakes. */

import {
  condition,
  continueAsNew,
  defineSignal,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import { FOUR_EYES } from '../domain/controls/approval.js'
import type { ControlChangeState } from '../domain/controls/control-change.js'
import type { ControlChangeInput } from '../temporal/inputs.js'
import { describeApprovals, toMinute } from './describe-approvals.js'

/** A decision was stored. Only the stored rows are counted. */
const decide = defineSignal('decide')
/** A person withdrew the change. */
const revoked = defineSignal('revoked')

/** What a step returns: `until` is the time (ISO 8601) of the next one without a signal, `null` at the end. */
interface Progress {
  readonly state: ControlChangeState
  readonly until: string | null
  readonly approvals: number
}

/**
 * Advances the change at its start, after each signal and when a time is over. A history that has grown long, such
 * as that of a close whose reconciliation takes hours, continues as a new one.
 *
 * @param what - Kind of the change, for operators.
 * @param advance - Takes the next step. It may run any number of times.
 */
export async function followControlChange(
  input: ControlChangeInput,
  what: string,
  advance: (id: string, now: string) => Promise<Progress>,
): Promise<ControlChangeState> {
  const { id, title } = input
  let signals = 0
  const wake = () => {
    signals++
  }
  setHandler(decide, wake)
  setHandler(revoked, wake)
  for (;;) {
    const seen = signals
    const { state, until, approvals } = await advance(id, new Date().toISOString())
    const text = describe(state, until, approvals)
    setCurrentDetails(`**${what}**: ${title}\n\n${text}`)
    if (until === null) return state
    if (workflowInfo().continueAsNewSuggested) await continueAsNew(input)
    const ms = Math.max(1, Date.parse(until) - Date.now())
    await condition(() => signals !== seen, ms, { summary: text.slice(0, 200) })
  }
}

function describe(state: ControlChangeState, until: string | null, approvals: number): string {
  if (until === null) return state
  if (state === 'cooling_down') return `Approved; fully in effect from ${toMinute(until)}`
  return describeApprovals(approvals, FOUR_EYES.count, until)
}
