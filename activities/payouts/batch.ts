/** What the workflow of a batch asks of the database, and of Temporal: its parts are withdrawals with workflows of their own. */

import type { Sql } from '../../db/connect.js'
import { advanceBatch, type BatchProgress } from '../../db/payouts/batches/advance-batch.js'
import { nextParts } from '../../db/payouts/batches/next-parts.js'
import { markWithdrawalStarted } from '../../db/payouts/mark-withdrawal-started.js'
import type { Networks } from '../../domain/chain/network.js'
import { mapConcurrently } from '../../domain/map-concurrently.js'
import type { WorkflowGate } from '../../temporal/workflow-gate.js'

export type { BatchProgress }

/** Calls to Temporal under way at a time. */
const CONCURRENCY = 4
/** As many as one wallet has nonces to give at a time, and far fewer than a worker has slots. */
const PARTS_AT_ONCE = 16

export interface BatchDependencies {
  readonly sql: Sql
  readonly networks: Networks
  readonly gate: Pick<WorkflowGate, 'startWithdrawal'>
}

/** Local. */
export interface BatchActivities {
  /** @param now - The workflow's clock, ISO 8601. */
  advanceBatch(id: string, now: string): Promise<BatchProgress>
}

export interface BatchPartsActivities {
  /** Starts the next parts, as many as may be under way. @returns How many. */
  startBatchParts(id: string): Promise<number>
}

/** Every one may run twice: the rows say whether there is something to do, and a workflow starts once. */
export function createBatchActivities({
  sql,
  networks,
  gate,
}: BatchDependencies): BatchActivities & BatchPartsActivities {
  return {
    advanceBatch: (id, now) => advanceBatch(sql, networks, id, new Date(now)),
    async startBatchParts(id) {
      const parts = await nextParts(sql, networks, id, PARTS_AT_ONCE)
      await mapConcurrently(parts, CONCURRENCY, async (part) => {
        await gate.startWithdrawal(part)
        await markWithdrawalStarted(sql, part.id)
      })
      return parts.length
    },
  }
}
