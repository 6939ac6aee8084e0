/** Wakes the workflows of payouts after a change of their rows. */

import { withdrawalId } from '../../temporal/ids.js'
import type { WorkflowGate } from '../../temporal/workflow-gate.js'
import { SWEEP_CONCURRENCY } from './sweeper-dependencies.js'
import { tryEach } from './try-each.js'

/** Wakes the payouts that a step returns. @returns How many there are. */
export async function wakePayouts(
  { gate }: { readonly gate: Pick<WorkflowGate, 'signal'> },
  step: () => Promise<readonly string[]>,
): Promise<number> {
  const ids = await step()
  // A lost signal does no harm, because the workflow also checks its row at intervals.
  const { outage } = await tryEach(ids, SWEEP_CONCURRENCY, (id) => gate.signal(withdrawalId(id), 'wake'))
  if (outage !== null) throw outage
  return ids.length
}
