/** Starts and signals a payout's workflow in the background, so that the answer does not wait for Temporal. */

import type { WorkflowHandle } from '@temporalio/client'
import { markWithdrawalStarted } from '../../db/payouts/mark-withdrawal-started.js'
import { readWithdrawalInput, type WithdrawalStart } from '../../db/payouts/read-withdrawal-input.js'
import { withdrawalId } from '../../temporal/ids.js'
import { startWithdrawal } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { reaches, startSoon } from './start-soon.js'

/**
 * Sends the signal. Starts the workflow if none is running, because a decision may come while the start is
 * still under way or after it failed, and then sends the signal again.
 *
 * @param created - Input of a withdrawal that was just created. Default: it is read from the row.
 */
export function startWithdrawalSoon(
  dependencies: ApiDependencies,
  id: string,
  signal: ((handle: WorkflowHandle) => Promise<unknown>) | null = null,
  created: WithdrawalStart | null = null,
): void {
  const { sql, networks } = dependencies
  startSoon(dependencies, `withdrawal ${id}`, async (client) => {
    const handle = client.getHandle(withdrawalId(id))
    if (signal && (await reaches(() => signal(handle)))) return
    const input = created ?? (await readWithdrawalInput(sql, networks, id))
    if (!input) return
    await startWithdrawal(client, input)
    await markWithdrawalStarted(sql, id)
    await signal?.(handle)
  })
}
