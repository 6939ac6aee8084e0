/** Delivers the events of a time range to an endpoint again. */

import { KeyturnError } from '../../../domain/errors.js'
import type { Transaction } from '../../connect.js'
import type { EndpointRow } from './endpoint-row.js'

export interface ReplayRange {
  /** Beginning of the range, inclusive. */
  readonly since: Date
  /** End of the range, exclusive. */
  readonly until: Date
  /** Types to replay. `null` for those that the endpoint subscribes to. */
  readonly eventTypes: readonly string[] | null
}

/** Most events of one replay, because a larger transaction would keep others waiting. */
const MAX_EVENTS = 50_000

/**
 * Makes every event of the range pending for the endpoint. It resumes existing deliveries (same bytes, same
 * webhook-id) and creates missing ones. It writes rows only; the sealer starts the workflows, even if this
 * process dies.
 *
 * @returns How many deliveries became pending. Those that were already pending do not count.
 * @throws KeyturnError `VALIDATION_FAILED` if the range holds more than 50,000 events.
 */
export async function replayEvents(
  tx: Transaction,
  endpoint: EndpointRow,
  range: ReplayRange,
): Promise<number> {
  const types = range.eventTypes ?? endpoint.event_types
  const wanted = types === null || types.includes('*') ? null : [...types]
  const inRange = tx`
    event.merchant_id = ${endpoint.merchant_id} AND event.occurred_at >= ${range.since}
    AND event.occurred_at < ${range.until} AND event.sequence IS NOT NULL
    AND (event.type = ANY (${wanted}::text[]) OR (${wanted}::text[] IS NULL AND event.type <> 'webhook.test'))`
  const [found] = await tx<{ count: bigint }[]>`
    SELECT count(*) FROM (SELECT 1 FROM events event WHERE ${inRange} LIMIT ${MAX_EVENTS + 1}) AS found`
  if (Number(found?.count) > MAX_EVENTS) {
    throw new KeyturnError(
      'VALIDATION_FAILED',
      `The range holds more than ${MAX_EVENTS} events. Replay it in shorter ranges`,
      { details: { in: 'body', fields: [{ path: 'until', reason: `more than ${MAX_EVENTS} events` }] } },
    )
  }
  const replayed = await tx`
    INSERT INTO webhook_deliveries (id, merchant_id, event_id, endpoint_id, format)
    SELECT 'whd_' || substr(event.id, 5) || '_' || ${endpoint.id.slice(4)}, event.merchant_id, event.id, ${endpoint.id},
           ${endpoint.format}
    FROM events event WHERE ${inRange}
    ORDER BY event.sequence
    ON CONFLICT (event_id, endpoint_id) DO UPDATE
      SET status = 'pending', next_attempt_at = now(), workflow_started_at = NULL,
          restarts = webhook_deliveries.restarts + 1
      WHERE webhook_deliveries.status <> 'pending'`
  await tx`SELECT pg_notify('sealer', '')`
  return replayed.count
}
