/** Starts and signals a payout's workflow in the background, so that the answer does not wait for Temporal. */

import type { WorkflowHandle } from '@temporalio/client'
import { markWithdrawalStarted } from '../../db/payouts/mark-withdrawal-started.js'
import { readWithdrawalInput } from '../../db/payouts/read-withdrawal-input.js'
import { withdrawalId } from '../../temporal/ids.js'
import { startWithdrawal } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { reaches, startSoon } from './start-soon.js'

/**
 * Sends the signal. Starts the workflow if none is running, because a decision may come while the start is
 * still under way or after it failed, and then sends the signal again.
 */
export function startWithdrawalSoon(
  dependencies: ApiDependencies,
  id: string,
  signal?: (handle: WorkflowHandle) => Promise<unknown>,
): void {
  const { sql, networks } = dependencies
  startSoon(dependencies, `withdrawal ${id}`, async (client) => {
    const handle = client.getHandle(withdrawalId(id))
    if (signal && (await reaches(() => signal(handle)))) return
    const input = await readWithdrawalInput(sql, networks, id)
    if (!input) return
    await startWithdrawal(client, input)
    await markWithdrawalStarted(sql, id)
    await signal?.(handle)
  })
}
