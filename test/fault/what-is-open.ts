/** Finds what still waits for something after nodes became honest and the hostile tenant gave up. */

import type { Sql } from '../../db/connect.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { findUnscanned, openWorkflows, PERPETUAL } from './until-settled.js'

/**
 * Returns a line for each kind of row or workflow that is open, of both tenants. A test wants none. Webhooks
 * of the hostile tenant do not count, as its endpoints are dead.
 */
export async function whatIsOpen(facts: StackFile, sql: Sql): Promise<string[]> {
  const merchant = facts.merchant.id
  const [counts] = await sql<Record<string, number>[]>`
    SELECT
      (SELECT count(*)::int FROM deposits
       WHERE status IN ('detected', 'unconfirmed', 'confirmed', 'screening_requested')) AS "deposits under way",
      (SELECT count(*)::int FROM payouts
       WHERE stage NOT IN ('confirmed', 'rejected', 'expired', 'cancelled', 'failed', 'reverted')) AS "payouts under way",
      (SELECT count(*)::int FROM batches WHERE completed_at IS NULL) AS "batches under way",
      (SELECT count(*)::int FROM attempts
       WHERE state IN ('signed', 'broadcast', 'mined') AND merchant_id = ${merchant}) AS "attempts not final",
      (SELECT count(*)::int FROM events WHERE sequence IS NULL) AS "events not sealed",
      (SELECT count(*)::int FROM audit_log WHERE sequence IS NULL) AS "audit entries not sealed",
      (SELECT count(*)::int FROM webhook_deliveries delivery JOIN events event ON event.id = delivery.event_id
       WHERE event.merchant_id = ${merchant} AND delivery.status <> 'delivered') AS "webhooks not delivered",
      (SELECT count(*)::int FROM withdrawal_schedules
       WHERE merchant_id = ${merchant} AND synced_version < version) AS "schedules that Temporal does not know"`
  const open = Object.entries(counts ?? {}).flatMap(([what, count]) =>
    count === 0 ? [] : [`${what}: ${count}`],
  )
  return [
    ...open,
    ...(await findUnscanned(facts, sql)),
    ...(await openWorkflows(facts, [...PERPETUAL, 'webhookDelivery', 'webhookCircuit'])),
  ]
}
