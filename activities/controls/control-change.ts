/** What the workflow of a change of controls asks of the database: a short local activity on the queue `core`. */

import type { Sql } from '../../db/connect.js'
import {
  advanceControlChange,
  type ControlChangeProgress,
} from '../../db/controls/changes/advance-control-change.js'
import type { Networks } from '../../domain/chain/network.js'

export interface ControlChangeActivities {
  /** @param now - The workflow's clock, ISO 8601. */
  advanceControlChange(id: string, now: string): Promise<ControlChangeProgress>
}

/** May run twice: the state in the row, read under its lock, says whether there is something to do. */
export function createControlChangeActivities(deps: {
  readonly sql: Sql
  readonly networks: Networks
}): ControlChangeActivities {
  const { sql, networks } = deps
  return { advanceControlChange: (id, now) => advanceControlChange(sql, networks, id, new Date(now)) }
}
