/** The steps of a batch: in the database, and in Temporal, where each part has a withdrawal's workflow. */

import type { Sql } from '../../db/connect.js'
import { advanceBatch, type BatchProgress } from '../../db/payouts/batches/advance-batch.js'
import { nextParts } from '../../db/payouts/batches/next-parts.js'
import { markWithdrawalStarted } from '../../db/payouts/mark-withdrawal-started.js'
import type { Networks } from '../../domain/chain/network.js'
import { mapConcurrently } from '../../domain/map-concurrently.js'
import type { WorkflowGate } from '../../temporal/workflow-gate.js'

export type { BatchProgress }

/** Most calls to Temporal at a time. */
const CONCURRENCY = 4
/**
 * Most parts that are started at a time: as many as one wallet has free nonces, and far fewer than a worker
 * has slots.
 */
const PARTS_AT_ONCE = 16

export interface BatchDependencies {
  readonly sql: Sql
  readonly networks: Networks
  readonly gate: Pick<WorkflowGate, 'startWithdrawal'>
}

/** Activities that the workflow runs locally. */
export interface BatchActivities {
  /** @param now - The workflow's clock, ISO 8601. */
  advanceBatch(id: string, now: string): Promise<BatchProgress>
}

export interface BatchPartsActivities {
  /** Starts the next parts, up to the most that may be open. @returns The number of parts started. */
  startBatchParts(id: string): Promise<number>
}

/**
 * Creates the activities. Each may run twice: the rows say whether there is something to do, and a workflow
 * starts once.
 */
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
