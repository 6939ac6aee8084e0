/** Raises and clears alerts: exceptions that last, with one event each. */

import type { ExceptionRaised } from '../../../wire/event.js'
import { json, type Queryable, type Transaction } from '../../connect.js'
import { appendEvent } from '../../events/log/append-event.js'
import { exceptionEvent, type NewException } from '../../events/log/raise-exception.js'

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
 * Raises an alert with its `exception.raised` event, in the caller's transaction. An alert that is already
 * open appends no further event.
 *
 * @param alert - `notTo` lists endpoints that do not receive its event.
 * @param withEvent - `false` for an alert about such an event, because an event that cannot be delivered or
 * sealed would cause further ones without end. The alert itself is raised, and the gauge shows it.
 * @returns Whether the alert is new.
 */
export async function raiseAlert(
  tx: Transaction,
  alert: NewException & { readonly kind: AlertKind; readonly notTo?: readonly string[] },
  withEvent = true,
): Promise<boolean> {
  const event = exceptionEvent(alert)
  const { id } = event.data as ExceptionRaised
  const raised = await tx`
    INSERT INTO alerts (id, merchant_id, kind, severity, subject, facts)
    VALUES (${id}, ${alert.merchantId}, ${alert.kind}, ${alert.severity}, ${alert.subject},
            ${json(tx, alert.facts)})
    ON CONFLICT (kind, subject, merchant_id) WHERE cleared_at IS NULL DO NOTHING
    RETURNING id`
  if (raised.length === 0) return false
  if (withEvent) await appendEvent(tx, { ...event, notTo: alert.notTo ?? [] })
  return true
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
