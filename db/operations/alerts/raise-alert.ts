/** Raises and clears alerts: what an operator must know while it lasts, with one event each. */

import { type ExceptionSeverity, subjectOf } from '../../../domain/books/exception.js'
import { raiseExceptions } from '../../books/exceptions/raise-exception.js'
import { json, type Queryable, type Transaction } from '../../connect.js'
import { appendEvents, type NewEvent } from '../../events/log/append-events.js'
import { type NewNotice, noticeEvent } from '../../events/log/notice-event.js'
import { newId } from '../../new-id.js'

/** Kinds of alerts, which are the labels of the gauge `keyturn_alerts`. */
export const ALERT_KINDS = [
  'withdrawal.large',
  'withdrawal.unusual',
  'withdrawal.consecutive_failures',
  'withdrawal.stuck',
  'withdrawal.step_failed',
  'withdrawal.investigation',
  'withdrawal.sanctioned',
  'withdrawal_schedule.not_applied',
  'event.unsealed',
  'audit.unsealed',
  'webhook_delivery.not_started',
  'webhook_endpoint.circuit_open',
  'workflow.not_started',
] as const
export type AlertKind = (typeof ALERT_KINDS)[number]

/**
 * Alerts about something that does not go on, which the exception queue has as `stuck`. The others are notices: an
 * operator reads them, and nothing in the books is unresolved.
 */
export const STUCK_ALERTS: readonly AlertKind[] = [
  'withdrawal.stuck',
  'withdrawal.step_failed',
  'withdrawal_schedule.not_applied',
  'event.unsealed',
  'audit.unsealed',
  'webhook_delivery.not_started',
  'workflow.not_started',
]

export interface NewAlert extends Omit<NewNotice, 'severity'> {
  readonly kind: AlertKind
  readonly severity: 'info' | 'warning' | 'critical'
  /** Endpoints that do not receive its event. */
  readonly notTo?: readonly string[]
}

const SEVERITY: Readonly<Record<NewAlert['severity'], ExceptionSeverity>> = {
  info: 'low',
  warning: 'medium',
  critical: 'critical',
}

/**
 * Raises an alert with its `exception.raised` event, in the caller's transaction. An alert that is already
 * open appends no further event, nor does one about an object that the exception queue has as stuck already.
 *
 * @param withEvent - `false` for an alert about such an event, because an event that cannot be delivered or
 * sealed would cause further ones without end. The alert itself is raised, and the gauge shows it.
 * @returns Whether the alert is new.
 */
export async function raiseAlert(tx: Transaction, alert: NewAlert, withEvent = true): Promise<boolean> {
  const raised = await tx`
    INSERT INTO alerts (id, merchant_id, kind, severity, subject, facts)
    VALUES (${newId('exc')}, ${alert.merchantId}, ${alert.kind}, ${alert.severity}, ${alert.subject},
            ${json(tx, alert.facts)})
    ON CONFLICT (kind, subject, merchant_id) WHERE cleared_at IS NULL DO NOTHING
    RETURNING id`
  if (raised.length === 0) return false
  const events = await eventsOf(tx, alert)
  const { notTo = [] } = alert
  if (withEvent) {
    await appendEvents(
      tx,
      events.map((event) => ({ ...event, notTo })),
    )
  }
  return true
}

/** Puts the alert into the exception queue, if it belongs there. @returns Its events. */
async function eventsOf(tx: Transaction, alert: NewAlert): Promise<NewEvent[]> {
  const { merchantId, kind, subject, facts } = alert
  const severity = SEVERITY[alert.severity]
  if (!STUCK_ALERTS.includes(kind)) return [noticeEvent({ merchantId, kind, severity, subject, facts })]
  return raiseExceptions(tx, [
    {
      merchantId,
      kind: 'stuck',
      detail: kind,
      cause: `stuck:${subject}`,
      severity,
      subject: subjectOf(subject),
      reason: String(facts.message ?? 'Something does not go on'),
      expected: 'progress',
      actual: 'none',
      evidence: facts,
    },
  ])
}

/** Clears the alerts of a kind about these objects. */
export async function clearAlerts(
  sql: Queryable,
  merchantId: string,
  kind: AlertKind,
  subjects: readonly string[],
): Promise<void> {
  if (subjects.length === 0) return
  await sql`
    UPDATE alerts SET cleared_at = clock_timestamp()
    WHERE merchant_id = ${merchantId} AND kind = ${kind} AND subject = ANY (${[...subjects]}) AND cleared_at IS NULL`
}
