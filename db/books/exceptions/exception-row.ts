/** Declares the row of an exception, and shows it as the API does. */

import type {
  ExceptionKind,
  ExceptionResolution,
  ExceptionSeverity,
  ExceptionStatus,
} from '../../../domain/books/exception.js'
import { QUORUM } from '../../../domain/controls/approval.js'
import { formatAmount } from '../../../domain/money.js'
import type { Exception, ExceptionComment, ExceptionWithHistory } from '../../../wire/exception.js'
import type { Queryable } from '../../connect.js'

/** What a dispute holds, in base units as text. */
interface Held {
  readonly network: string
  readonly coin: string
  readonly owner: string
  readonly amount: string
  /** Decimal places of the coin. `null` if no configuration ever named it. */
  readonly decimals: number | null
}

export interface ExceptionRow {
  readonly id: string
  readonly merchant_id: string
  readonly kind: ExceptionKind
  readonly detail: string
  readonly cause: string
  readonly status: ExceptionStatus
  readonly severity: ExceptionSeverity
  readonly reason: string
  readonly subject_type: string
  readonly subject_id: string
  readonly payment_id: string | null
  readonly user_reference: string | null
  readonly expected: string | null
  readonly actual: string | null
  readonly evidence: Readonly<Record<string, unknown>>
  readonly owner: string | null
  readonly due_at: Date
  readonly comments: readonly ExceptionComment[]
  readonly history: ExceptionWithHistory['history']
  readonly resolution: ExceptionResolution | null
  readonly root_cause: string | null
  /** Root cause of a proposal that is not booked yet. `null` if there is none. */
  readonly proposed_root_cause: string | null
  readonly resolved_at: Date | null
  readonly created_at: Date
  readonly updated_at: Date
  readonly change_id: string | null
  readonly withdrawal_id: string | null
  /** Request that waits for approvals. `null` if none does. */
  readonly change_hash: string | null
  readonly change_expires_at: Date | null
  readonly holds: readonly Held[]
  /** Time of the database when the row was read. */
  readonly now: Date
}

/**
 * Returns `SELECT … FROM` of an `ExceptionRow`, to which the caller adds a WHERE. The table is named exception.
 *
 * @param from - Source of the rows: the table, or a page of it.
 */
export const selectExceptions = (sql: Queryable, from = sql`exceptions`) => sql`
  SELECT exception.*, clock_timestamp() AS now, change.intent_hash AS change_hash, change.expires_at AS change_expires_at,
         coalesce(held.list, '[]') AS holds
  FROM ${from} exception
  LEFT JOIN control_changes change ON change.id = exception.change_id AND change.state = 'pending_approval'
  LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('network', hold.network, 'coin', hold.coin, 'owner', hold.owner,
                                        'amount', hold.amount::text, 'decimals', known.decimals)
                     ORDER BY hold.network, hold.coin, hold.owner) AS list
    FROM (
      SELECT network, coin, owner, sum(amount) AS amount FROM exception_holds
      WHERE exception_id = exception.id AND released_at IS NULL
      GROUP BY network, coin, owner
    ) hold
    LEFT JOIN known_coins known ON known.network = hold.network AND known.name = hold.coin
  ) held ON true`

/** Returns the exception as the API and an export show it. */
export function toExceptionView(row: ExceptionRow): Exception {
  const until = row.resolved_at ?? row.now
  return {
    id: row.id,
    kind: row.kind,
    detail: row.detail,
    status: row.status,
    severity: row.severity,
    reason: row.reason,
    subject: { type: row.subject_type, id: row.subject_id },
    payment_id: row.payment_id,
    user_reference: row.user_reference,
    expected: row.expected,
    actual: row.actual,
    owner: row.owner,
    due_at: row.due_at.toISOString(),
    overdue: row.status !== 'resolved' && row.due_at < row.now,
    age_seconds: Math.max(0, Math.floor((until.getTime() - row.created_at.getTime()) / 1_000)),
    evidence: row.evidence,
    comments: row.comments,
    resolution: row.resolution,
    root_cause: row.root_cause,
    holds: row.holds.map(({ network, coin, amount, decimals }) => ({
      network,
      coin,
      amount: formatAmount(BigInt(amount), decimals ?? 0),
    })),
    approval:
      row.change_hash === null || row.change_expires_at === null
        ? null
        : {
            path: exceptionPath(row.id),
            intent_hash: row.change_hash,
            required: QUORUM,
            expires_at: row.change_expires_at.toISOString(),
          },
    withdrawal_id: row.withdrawal_id,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    resolved_at: row.resolved_at?.toISOString() ?? null,
  }
}

/** Returns the path under which an exception has its intent and approvals. */
export function exceptionPath(id: string): string {
  return `/exceptions/${id}`
}
