/** Starts or signals a workflow after the row is committed, without the answer waiting for Temporal. */

import { type WorkflowClient, WorkflowNotFoundError } from '@temporalio/client'
import type { ApiDependencies } from '../context.js'

/**
 * Runs the task in the background. With Temporal down nothing is lost: the row is the outbox and the sweeper carries on.
 *
 * @param what - For the log, e.g. `withdrawal withdrawal_0193…`.
 */
export function startSoon(
  dependencies: ApiDependencies,
  what: string,
  task: (client: WorkflowClient) => Promise<unknown>,
): void {
  const { temporal, log } = dependencies
  if (!temporal) return
  void task(temporal.workflow).catch((error: unknown) => {
    // It ended before it was told: the row has the last word, and there is nobody left who must hear it.
    if (error instanceof WorkflowNotFoundError) return
    log.warn({ err: error }, `${what} was not started or signalled; the sweeper will`)
  })
}
