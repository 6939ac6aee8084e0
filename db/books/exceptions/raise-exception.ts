/** Raises exceptions: one standing exception for each cause, with its event, in the transaction of the cause. */

import {
  EXCEPTION_TERMS,
  type ExceptionKind,
  type ExceptionSeverity,
  type ExceptionSubject,
} from '../../../domain/books/exception.js'
import type { ExceptionRaised } from '../../../wire/event.js'
import { iso, type Transaction } from '../../connect.js'
import { appendEvents, type NewEvent } from '../../events/log/append-events.js'
import { newId } from '../../new-id.js'
import { sameValues } from './same-values.js'

export interface NewException {
  readonly merchantId: string
  readonly kind: ExceptionKind
  /** Finer word for what happened, such as `deposit.reverted_after_spend`. Default: the kind. */
  readonly detail?: string
  /** Names the cause within the merchant, e.g. `late:dep_…`. The same cause has one standing exception. */
  readonly cause: string
  /** Default: that of the kind. */
  readonly severity?: ExceptionSeverity
  readonly subject: ExceptionSubject
  /** One line that says why. */
  readonly reason: string
  /** What should be, as people read it. `null` where there is no such value. */
  readonly expected: string | null
  /** What is. */
  readonly actual: string | null
  readonly paymentId?: string | null
  readonly userReference?: string | null
  /** Facts that prove it. JSON only. The event has them too. */
  readonly evidence?: Readonly<Record<string, unknown>>
  /**
   * Whether the cause lasts and a check finds it again and again. Then a resolution by a person stands: the same
   * values (`sameValues`) raise nothing until `closeCause` has said that the cause ended. Default `false`: each call is
   * another occurrence.
   */
  readonly lasting?: boolean
}

/**
 * Stores the exceptions whose cause has none that stands.
 *
 * @returns The events of those that are new, in the order of `exceptions`, which the caller appends in the same
 * transaction.
 */
export async function raiseExceptions(
  tx: Transaction,
  exceptions: readonly NewException[],
): Promise<NewEvent[]> {
  const [first, ...others] = exceptions
  if (!first) return []
  // Two transactions that raise the same causes lock them in the same order.
  const rows = [first, ...others]
    .map((exception) => ({ ...exception, id: newId('exc') }))
    .sort((a, b) => (a.cause < b.cause ? -1 : a.cause > b.cause ? 1 : 0))
  const raised = await tx<{ id: string; due_at: Date }[]>`
    INSERT INTO exceptions (id, merchant_id, kind, detail, cause, severity, reason, subject_type, subject_id, payment_id,
                            user_reference, expected, actual, evidence, history, due_at, created_at, updated_at)
    SELECT each.id, each.merchant_id, each.kind, each.detail, each.cause, each.severity, each.reason, each.subject_type,
           each.subject_id, each.payment_id, each.user_reference, each.expected, each.actual, each.evidence::jsonb,
           jsonb_build_array(jsonb_build_object(
             'status', 'open', 'at', ${iso(tx, 'clock.now')}, 'actor', 'system:exceptions', 'cause', 'Raised')),
           clock.now + coalesce(terms.due_ms, each.due_ms) * interval '1 millisecond', clock.now, clock.now
    FROM (SELECT date_trunc('milliseconds', clock_timestamp()) AS now) clock,
    unnest(
      ${rows.map((row) => row.id)}::text[], ${rows.map((row) => row.merchantId)}::text[],
      ${rows.map((row) => row.kind)}::text[], ${rows.map((row) => row.detail ?? row.kind)}::text[],
      ${rows.map((row) => row.cause)}::text[], ${rows.map(severityOf)}::text[], ${rows.map((row) => row.reason)}::text[],
      ${rows.map((row) => row.subject.type)}::text[], ${rows.map((row) => row.subject.id)}::text[],
      ${rows.map((row) => row.paymentId ?? null)}::text[], ${rows.map((row) => row.userReference ?? null)}::text[],
      ${rows.map((row) => row.expected)}::text[], ${rows.map((row) => row.actual)}::text[],
      ${rows.map((row) => JSON.stringify(row.evidence ?? {}))}::text[],
      ${rows.map((row) => String(EXCEPTION_TERMS[row.kind].dueHours * HOUR_MS))}::text[]::bigint[],
      ${rows.map((row) => String(row.lasting ?? false))}::text[]::boolean[]
    ) WITH ORDINALITY AS each (id, merchant_id, kind, detail, cause, severity, reason, subject_type, subject_id, payment_id,
                               user_reference, expected, actual, evidence, due_ms, lasting, position)
    LEFT JOIN exception_terms terms ON terms.kind = each.kind
    WHERE NOT each.lasting OR NOT EXISTS (
      SELECT FROM exceptions known
      WHERE known.merchant_id = each.merchant_id AND known.cause = each.cause AND known.status = 'resolved'
        AND known.cause_gone_at IS NULL AND ${sameValues(tx, tx`each.expected`, tx`each.actual`)})
    ORDER BY each.position
    ON CONFLICT (merchant_id, cause) WHERE status <> 'resolved' DO NOTHING
    RETURNING id, due_at`
  const dueAt = new Map(raised.map((row) => [row.id, row.due_at]))
  return rows
    .filter((row) => dueAt.has(row.id))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((row) => eventOf(row, dueAt.get(row.id) ?? new Date()))
}

/**
 * Raises one exception and appends its event.
 *
 * @returns Its id. `null` if one of the same cause stands, or a person's resolution of it does.
 */
export async function raiseException(tx: Transaction, exception: NewException): Promise<string | null> {
  const [event] = await raiseExceptions(tx, [exception])
  if (!event) return null
  await appendEvents(tx, [event])
  return (event.data as ExceptionRaised).id
}

const HOUR_MS = 3_600_000

function severityOf({ kind, severity }: NewException): ExceptionSeverity {
  return severity ?? EXCEPTION_TERMS[kind].severity
}

function eventOf(exception: NewException & { readonly id: string }, dueAt: Date): NewEvent {
  const { merchantId, kind, subject, reason, expected, actual } = exception
  const data = {
    message: reason,
    reason,
    expected,
    actual,
    payment_id: exception.paymentId ?? null,
    user_reference: exception.userReference ?? null,
    ...exception.evidence,
    id: exception.id,
    kind,
    detail: exception.detail ?? kind,
    severity: severityOf(exception),
    subject: subject.id,
    subject_type: subject.type,
    in_queue: true,
    due_at: dueAt.toISOString(),
  } satisfies ExceptionRaised
  return { merchantId, type: 'exception.raised', subject: subject.id, data }
}
