/**
 * Shows an error that no step expects on the withdrawal within seconds, and raises an alert: no error is
 * retried in silence.
 */

import { CancelledFailure, Context } from '@temporalio/activity'
import { reportStepFailure } from '../../../db/payouts/report-step-failure.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { WaitStep, WithdrawalChainDependencies } from './dependencies.js'

/** Less than the activity's own time-out, so that this limit reports what takes so long. */
const LIMIT_MS = 45_000
/** Classes of SQLSTATE whose cause passes: connection, rolled back, not ready, taken down. */
const PASSING_STATES = ['08', '40', '53', '55', '57']

/** The step did not return in time. It may still end, and is safe to run beside its next try. */
class StepTooSlow extends Error {}

/**
 * Runs a step. Turns what it throws into a reason to wait, so that the workflow retries it with growing
 * pauses and checks the expiry each time.
 *
 * @param name - What fails, as the message names it: `Building the transaction`.
 * @throws An error whose cause is that the database is away: nothing can be shown then, and Temporal retries
 * the activity.
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

/**
 * As `orReportFailure`, for a step without an outcome `waiting`: Temporal retries the activity.
 *
 * @throws What the step throws.
 */
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

/**
 * Returns a text that is safe to show: of the product's own errors the message, of any other error only its
 * class, because its text may contain a node's URL with its password.
 */
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
  // Outside a worker, in a command or a test, there is no activity with a log.
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
