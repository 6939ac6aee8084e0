/** An error that no step expects is shown on the withdrawal within seconds, and raises an alert: it is never retried in silence. */

import { CancelledFailure, Context } from '@temporalio/activity'
import { reportStepFailure } from '../../../db/payouts/report-step-failure.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { WaitStep, WithdrawalChainDependencies } from './dependencies.js'

/** Less than the activity's own time-out, so that it is this that says what takes so long. */
const LIMIT_MS = 45_000
/** Classes of SQLSTATE that pass by themselves: connection, rolled back, not ready, taken down. */
const PASSING_STATES = ['08', '40', '53', '55', '57']

/** The step did not come back in its time; it may still end, and is safe to run beside its successor. */
class StepTooSlow extends Error {}

/**
 * Runs a step. What it throws becomes a reason to wait, so that the workflow tries it again with growing pauses and looks at the
 * expiry each time.
 *
 * @param name - What fails, as it stands in the message: `Building the transaction`.
 * @throws What comes of the database being away: nothing can be shown then, and the activity is tried again.
 */
export async function orReportFailure<T>(
  dependencies: WithdrawalChainDependencies,
  id: string,
  name: string,
  step: () => Promise<T>,
): Promise<T | WaitStep> {
  try {
    return await withinTime(step, dependencies.stepLimitMs ?? LIMIT_MS)
  } catch (error) {
    return report(dependencies, id, name, error)
  }
}

/** As `orReportFailure`, for a step that has no waiting of its own: the activity is tried again. @throws What the step throws. */
export async function reportFailure<T>(
  dependencies: WithdrawalChainDependencies,
  id: string,
  name: string,
  step: () => Promise<T>,
): Promise<T> {
  try {
    return await step()
  } catch (error) {
    await report(dependencies, id, name, error)
    throw error
  }
}

async function report(
  { sql }: WithdrawalChainDependencies,
  id: string,
  name: string,
  error: unknown,
): Promise<WaitStep> {
  if (error instanceof CancelledFailure || isPassing(error)) throw error
  log(name, id, error)
  const code = 'STEP_FAILED'
  const message = `${name} fails, and is tried again: ${reasonOf(error)}`
  const retryable = error instanceof KeyturnError && error.retryable
  await reportStepFailure(sql, id, { code, message, retryable })
  return { kind: 'waiting', code, message }
}

/** The product's own errors are safe to show; of any other only the kind is, because its text may name a node with its password. */
function reasonOf(error: unknown): string {
  if (error instanceof KeyturnError) return error.message
  if (error instanceof StepTooSlow) return 'it did not come back in its time'
  const kind = error instanceof Error ? error.name : typeof error
  return `an unexpected error (${kind}); the worker's log has it in full`
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof KeyturnError || !('code' in error)) return false
  const code = String(error.code)
  return PASSING_STATES.includes(code.slice(0, 2)) || code.startsWith('CONNECT') || code.startsWith('ECONN')
}

function log(name: string, id: string, error: unknown): void {
  // Outside of a worker, as in a command or a test, there is no activity whose log this is.
  try {
    Context.current().log.error(`${name} of ${id} failed`, { error })
  } catch {}
}

async function withinTime<T>(step: () => Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StepTooSlow()), ms)
  })
  try {
    return await Promise.race([step(), late])
  } finally {
    clearTimeout(timer)
  }
}
