/** Reads the inputs of control changes' workflows and lists the changes whose workflow was not started. */

import { assertNever } from '../../../domain/assert-never.js'
import type { ControlChangeKind } from '../../../domain/controls/control-change.js'
import { OPEN_CONTROL_CHANGES } from '../../../domain/controls/control-change.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'
import { notPutOff } from '../../operations/sweep-failures.js'
import type { ControlChangeRow } from './control-change-row.js'

/** Input of the workflow, equal to `ControlChangeInput` of `temporal/inputs.ts`. */
export interface ControlChangeStart {
  readonly id: string
  readonly kind: ControlChangeKind
  readonly merchantId: string
  readonly title: string
}

/** Changes of one sweep. The next sweep takes the next ones. */
const BATCH = 500
const TITLE_LENGTH = 150

/** Reads the input of one change. `null` if the change is unknown. */
export async function readControlChangeStart(sql: Queryable, id: string): Promise<ControlChangeStart | null> {
  const [row] = await sql<ControlChangeRow[]>`SELECT * FROM control_changes WHERE id = ${id}`
  return row ? toControlChangeStart(row) : null
}

/**
 * Returns the oldest changes whose workflow was not started, because the API died or Temporal was down. It
 * also returns open changes that neither moved nor were checked recently: their workflow may be gone.
 *
 * @param olderThanMs - Minimum age, so that the sweeper does not race the API.
 * @param unseenMs - Time since the last move or check.
 */
export async function unstartedControlChanges(
  sql: Queryable,
  olderThanMs: number,
  unseenMs: number,
): Promise<ControlChangeRow[]> {
  return sql<ControlChangeRow[]>`
    SELECT * FROM control_changes
    WHERE (workflow_started_at IS NULL AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
           OR workflow_started_at IS NOT NULL AND state IN ${members(sql, OPEN_CONTROL_CHANGES)}
              AND greatest(workflow_started_at, workflow_seen_at, updated_at)
                < clock_timestamp() - ${unseenMs} * interval '1 millisecond')
      AND ${notPutOff(sql, 'control_changes.id')}
    ORDER BY greatest(workflow_seen_at, created_at) LIMIT ${BATCH}`
}

/** Records that the workflow of a change exists, so that the sweeper does not check it again for a while. */
export async function markControlChangeStarted(sql: Queryable, id: string): Promise<void> {
  await sql`
    UPDATE control_changes SET workflow_started_at = coalesce(workflow_started_at, clock_timestamp()),
      workflow_seen_at = clock_timestamp()
    WHERE id = ${id}`
}

/** Returns the input of a row's workflow. */
export function toControlChangeStart(row: ControlChangeRow): ControlChangeStart {
  const title = titleOf(row).slice(0, TITLE_LENGTH)
  return { id: row.id, kind: row.kind, merchantId: row.merchant_id, title }
}

function titleOf(row: ControlChangeRow): string {
  switch (row.kind) {
    case 'policy':
      return row.intent.changes.map((edit) => edit.field).join(', ')
    case 'whitelist':
      return `${row.intent.label}: ${row.intent.address}`
    case 'deposit_release':
      return `${row.intent.deposit}: ${row.intent.reason}`
    case 'exception_resolution':
      return `${row.intent.exception}: ${row.intent.resolution}`
    case 'period_close':
      return row.intent.period
    case 'period_reopen':
      return `${row.intent.period}: ${row.intent.reason}`
    case 'settlement_resume':
      return row.intent.reason
    default:
      return assertNever(row)
  }
}
