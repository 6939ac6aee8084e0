/** The activity of a control change: a short local activity on the queue `core`. */

import type { Sql } from '../../db/connect.js'
import {
  advanceControlChange,
  type ControlChangeProgress,
} from '../../db/controls/changes/advance-control-change.js'
import type { Networks } from '../../domain/chain/network.js'

export interface ControlChangeActivities {
  /** Advances the change as far as it can go. @param now - Time of the workflow's clock, ISO 8601. */
  advanceControlChange(id: string, now: string): Promise<ControlChangeProgress>
}

/**
 * Creates the activity. It may run twice, because the row's state, read under its lock, decides what is to
 * do.
 */
export function createControlChangeActivities(deps: {
  readonly sql: Sql
  readonly networks: Networks
}): ControlChangeActivities {
  const { sql, networks } = deps
  return { advanceControlChange: (id, now) => advanceControlChange(sql, networks, id, new Date(now)) }
}
