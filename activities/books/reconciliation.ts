/** The steps of a reconciliation: plan its checks, make one, and end it. Everything that a check reads is read-only. */

import { Context } from '@temporalio/activity'
import { isBooksCheck } from '../../db/books/reconciliation/books-checks.js'
import {
  claimRun,
  endRun,
  failRun,
  planChecks,
  storeCheck,
  touchRun,
} from '../../db/books/reconciliation/move-run.js'
import { findOpenRun } from '../../db/books/reconciliation/read-run.js'
import { runCheck } from '../../db/books/reconciliation/run-check.js'
import type { ReconciliationRow } from '../../db/books/reconciliation/run-row.js'
import type { Sql } from '../../db/connect.js'
import {
  type CheckName,
  INTERNAL_CHECKS,
  ORDER_CHECKS,
  type ReconciliationScope,
} from '../../domain/books/difference.js'
import type { Networks } from '../../domain/chain/network.js'

/** Interval at which a check stores how far it is. */
const PROGRESS_MS = 5_000

export interface ReconciliationDependencies {
  readonly sql: Sql
  readonly networks: Networks
}

/** What the workflow does next. */
export type RunPlan =
  | { readonly kind: 'ended' }
  /** An older run of the merchant is open. */
  | { readonly kind: 'busy' }
  /** Checks that are not done. */
  | { readonly kind: 'planned'; readonly checks: readonly string[] }

export interface ReconciliationActivities {
  /** Decides once which checks the run makes, and returns those that are not done. */
  planRun(id: string): Promise<RunPlan>
  /** Makes a check and stores what it found. Nothing happens where it is done, or where the run has ended. */
  makeCheck(id: string, name: string): Promise<void>
  /** Ends the run. */
  finishRun(id: string): Promise<void>
  /** Fails the run, because a check failed too often. */
  giveUpRun(id: string): Promise<void>
}

/** Creates the activities of the workflow `reconciliation`. */
export function createReconciliationActivities({
  sql,
  networks,
}: ReconciliationDependencies): ReconciliationActivities {
  return {
    async planRun(id) {
      const run = await claimRun(sql, id)
      if (run === null) return { kind: 'ended' }
      if (run === 'busy') return { kind: 'busy' }
      return { kind: 'planned', checks: await planChecks(sql, id, checksOf(run)) }
    },
    async makeCheck(id, name) {
      const run = await findOpenRun(sql, id)
      if (!run) return
      if (!isBooksCheck(name)) throw new Error(`There is no check ${name}`)
      const { cancellationSignal: signal } = Context.current()
      const progress = createProgress((examined) => touchRun(sql, id, name, examined))
      const result = await runCheck(sql, networks, run.merchant_id, name, {
        networks: run.networks,
        signal,
        progress,
      })
      await storeCheck(sql, id, name, result)
    },
    finishRun: (id) => endRun(sql, id),
    giveUpRun: (id) =>
      failRun(sql, id, {
        code: 'INTERNAL_ERROR',
        message: 'A check could not be made after many attempts. Start another reconciliation',
      }),
  }
}

const CHECKS_OF: Readonly<Record<ReconciliationScope, readonly CheckName[]>> = {
  orders: ORDER_CHECKS,
  internal: INTERNAL_CHECKS,
}

function checksOf({ scope }: ReconciliationRow): CheckName[] {
  return scope.flatMap((each) => CHECKS_OF[each])
}

/** Returns a function that stores progress at most once an interval. A failure to do so stops no check. */
function createProgress(store: (examined: number) => Promise<void>): (examined: number) => void {
  let next = Date.now() + PROGRESS_MS
  return (examined) => {
    if (Date.now() < next) return
    next = Date.now() + PROGRESS_MS
    store(examined).catch(() => {})
  }
}
