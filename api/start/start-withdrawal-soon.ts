/** Sees to it that a withdrawal's workflow runs, and tells it something, without the answer waiting for Temporal. */

import type { WorkflowHandle } from '@temporalio/client'
import { markWithdrawalStarted } from '../../db/payouts/mark-withdrawal-started.js'
import { readWithdrawalInput } from '../../db/payouts/read-withdrawal-input.js'
import { withdrawalId } from '../../temporal/ids.js'
import { startWithdrawal } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { startSoon } from './start-soon.js'

/**
 * Starts the workflow (or finds it running), then signals. Whoever decides a moment after the request must not be told that
 * nobody listens: the start may still be under way, or have failed while Temporal was down.
 */
export function startWithdrawalSoon(
  dependencies: ApiDependencies,
  id: string,
  signal?: (handle: WorkflowHandle) => Promise<unknown>,
): void {
  const { sql, networks } = dependencies
  startSoon(dependencies, `withdrawal ${id}`, async (client) => {
    const input = await readWithdrawalInput(sql, networks, id)
    if (!input) return
    await startWithdrawal(client, input)
    await markWithdrawalStarted(sql, id)
    await signal?.(client.getHandle(withdrawalId(id)))
  })
}
