/** What the workflow of a change of controls is started with, and which were not started. */

import { assertNever } from '../../../domain/assert-never.js'
import type { ControlChangeKind } from '../../../domain/controls/control-change.js'
import type { Queryable } from '../../connect.js'
import { notPutOff } from '../../operations/sweep-failures.js'
import type { ControlChangeRow } from './control-change-row.js'

/** As `ControlChangeInput` of `temporal/start.ts`. */
export interface ControlChangeStart {
  readonly id: string
  readonly kind: ControlChangeKind
  readonly merchantId: string
  readonly title: string
}

/** Taken at a time; the next sweep takes the next. */
const BATCH = 500
const TITLE_LENGTH = 150

/** Reads the input of one change, or null when it is unknown. */
export async function readControlChangeStart(sql: Queryable, id: string): Promise<ControlChangeStart | null> {
  const [row] = await sql<ControlChangeRow[]>`SELECT * FROM control_changes WHERE id = ${id}`
  return row ? toControlChangeStart(row) : null
}

/**
 * The oldest changes whose workflow was not started (the API was cut short, or Temporal was down), and those under way that neither
 * moved nor were looked for: theirs may be gone.
 *
 * @param olderThanMs - Leaves alone what the API is starting right now.
 * @param unseenMs - Leaves alone what moved, or was found running, so recently.
 */
export async function unstartedControlChanges(
  sql: Queryable,
  olderThanMs: number,
  unseenMs: number,
): Promise<ControlChangeRow[]> {
  return sql<ControlChangeRow[]>`
    SELECT * FROM control_changes
    WHERE (workflow_started_at IS NULL AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
           OR workflow_started_at IS NOT NULL AND state IN ('pending_approval', 'cooling_down')
              AND greatest(workflow_started_at, workflow_seen_at, updated_at)
                < clock_timestamp() - ${unseenMs} * interval '1 millisecond')
      AND ${notPutOff(sql, 'control_changes.id')}
    ORDER BY greatest(workflow_seen_at, created_at) LIMIT ${BATCH}`
}

/** Says that the workflow of a change exists, so that the sweeper leaves it alone for a while. */
export async function markControlChangeStarted(sql: Queryable, id: string): Promise<void> {
  await sql`
    UPDATE control_changes SET workflow_started_at = coalesce(workflow_started_at, clock_timestamp()),
      workflow_seen_at = clock_timestamp()
    WHERE id = ${id}`
}

/** The input made of a row. */
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
    default:
      return assertNever(row)
  }
}
