/** The activity of the close of a period, on the queue `core`. */

import type { Sql } from '../../db/connect.js'
import {
  advanceControlChange,
  type ControlChangeProgress,
} from '../../db/controls/changes/advance-control-change.js'
import type { Networks } from '../../domain/chain/network.js'

export interface PeriodActivities {
  /** Advances the request as far as it can go. @param now - Time of the workflow's clock, ISO 8601. */
  advancePeriod(id: string, now: string): Promise<ControlChangeProgress>
}

/**
 * Creates the activity. It may run twice: the period is closed in one transaction, under the locks of the
 * request and of the merchant's periods.
 */
export function createPeriodActivities(deps: {
  readonly sql: Sql
  readonly networks: Networks
}): PeriodActivities {
  const { sql, networks } = deps
  return { advancePeriod: (id, now) => advanceControlChange(sql, networks, id, new Date(now)) }
}
