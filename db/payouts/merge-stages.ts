/** Selects payouts by their public status, which several stages have, with one index read a stage. */

import {
  WITHDRAWAL_STAGES,
  WITHDRAWAL_STATUS,
  type WithdrawalStatus,
} from '../../domain/payouts/withdrawal-stage.js'
import type { Queryable } from '../connect.js'
import type { Merge } from '../page-of.js'

/**
 * Returns the stages of a status. `undefined` without a status, and for `confirmed`: most payouts are, so the
 * index of stages leaves them out, and the caller compares the stage.
 */
export function mergeStages(
  sql: Queryable,
  status: WithdrawalStatus | undefined,
  name = 'each',
): Merge | undefined {
  if (status === undefined || status === 'confirmed') return undefined
  const stages = WITHDRAWAL_STAGES.filter((stage) => WITHDRAWAL_STATUS[stage] === status)
  return {
    keys: sql`SELECT unnest(${stages}::text[]) AS stage`,
    on: sql`${sql(name)}.stage = key.stage AND ${sql(name)}.stage <> 'confirmed'`,
  }
}
