/** Makes reconciliations without Temporal: the test takes the steps of the workflow. */

import { MockActivityEnvironment } from '@temporalio/testing'
import { createReconciliationActivities } from '../../activities/books/reconciliation.js'
import { sealAudit } from '../../db/audit/seal-audit.js'
import { readRun } from '../../db/books/reconciliation/read-run.js'
import { startReconciliation } from '../../db/books/reconciliation/start-reconciliation.js'
import { inTransaction, type Sql } from '../../db/connect.js'
import { sealEvents } from '../../db/events/log/seal-events.js'
import { RECONCILIATION_SCOPES, type ReconciliationScope } from '../../domain/books/difference.js'
import type { Networks } from '../../domain/chain/network.js'
import type { ReconciliationRun } from '../../wire/reconciliation.js'

/** Starts nothing: the test takes the steps. */
const gate = { startReconciliationRun: async () => true }

/** Takes every step of a run that exists. */
export async function finishRun(sql: Sql, networks: Networks, id: string): Promise<void> {
  const activities = createReconciliationActivities({ sql, networks, gate })
  const environment = new MockActivityEnvironment()
  const plan = await activities.planRun(id)
  if (plan.kind !== 'planned') throw new Error(`The run is ${plan.kind}`)
  for (const name of plan.checks)
    while ((await environment.run(activities.makeCheck, id, name)) === 'paused') {}
  await activities.raiseExceptions(id)
  await activities.finishRun(id)
}

interface Reconciled {
  readonly scope?: readonly ReconciliationScope[]
  /** Networks to which it is limited. Default: all. */
  readonly networks?: readonly string[] | null
  /** Whether events and audit entries are sealed before. Default: true. */
  readonly seals?: boolean
}

/** Makes a reconciliation and returns it as the API shows it. */
export async function reconcile(
  sql: Sql,
  networks: Networks,
  merchantId: string,
  { scope = RECONCILIATION_SCOPES, networks: limits = null, seals = true }: Reconciled = {},
): Promise<ReconciliationRun> {
  const { id } = await inTransaction(sql, (tx) =>
    startReconciliation(tx, {
      merchantId,
      cause: 'request',
      scope,
      networks: limits,
      atBlock: null,
      createdBy: 'test',
      actor: 'system:test',
      mostOpen: 5,
    }),
  )
  while (seals && (await sealEvents(sql)) > 0) {}
  while (seals && (await sealAudit(sql)) > 0) {}
  await finishRun(sql, networks, id)
  const run = await readRun(sql, merchantId, id)
  if (!run) throw new Error('The run is gone')
  return run
}

/** Returns what the checks of a run found, as `check: subject field expected actual`. */
export function differencesOf(run: ReconciliationRun): string[] {
  return run.checks.flatMap(({ name, differences }) =>
    differences.map(
      ({ subject, field, expected, actual }) =>
        `${name}: ${subject.type} ${subject.id}${field === undefined ? '' : ` ${field}`} ${expected} ${actual}`,
    ),
  )
}
