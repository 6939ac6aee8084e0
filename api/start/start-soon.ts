/** Starts or signals a workflow in the background after the commit, so that the answer does not wait for Temporal. */

import { type WorkflowClient, WorkflowNotFoundError } from '@temporalio/client'
import type { ApiDependencies } from '../context.js'

/**
 * Runs the task in the background. If Temporal is down, the sweeper finds the row and does the task later.
 *
 * @param what - Name for the log, e.g. `withdrawal withdrawal_0193…`.
 */
export function startSoon(
  dependencies: ApiDependencies,
  what: string,
  task: (client: WorkflowClient) => Promise<unknown>,
): void {
  const { temporal, log } = dependencies
  if (!temporal) return
  void task(temporal.workflow).catch((error: unknown) => {
    // The workflow ended before the signal arrived. The row already holds the outcome, so nothing is lost.
    if (error instanceof WorkflowNotFoundError) return
    log.warn({ err: error }, `${what} was not started or signalled; the sweeper will do it`)
  })
}

/** Whether a workflow is running that gets the signal. */
export async function reaches(send: () => Promise<unknown>): Promise<boolean> {
  try {
    await send()
    return true
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false
    throw error
  }
}
