/** Loads everything that an attempt needs in one query. */

import type { CircuitState } from '../../../domain/events/circuit.js'
import type { DeliveryStatus } from '../../../domain/events/delivery-status.js'
import type { EventType } from '../../../domain/events/event.js'
import type { Queryable } from '../../connect.js'
import { freezeVersion } from '../log/freeze-version.js'
import type { EndpointRow } from './endpoint-row.js'

export interface LoadedAttempt {
  readonly status: DeliveryStatus
  /** Number of times that it became pending again. A higher number after the attempt means that one more is due. */
  readonly restarts: number
  /** Number of attempts in the log. */
  readonly attempts: number
  /** Time at which the first attempt began in the workflow's first task. `null` if none began there. */
  readonly first_attempt_at: Date | null
  /** Milliseconds since then, by the clock of the database. */
  readonly first_attempt_age_ms: number | null
  readonly merchant_id: string
  readonly event_id: string
  readonly event_type: EventType
  readonly endpoint_id: string
  readonly endpoint_status: EndpointRow['status']
  /** State of the endpoint's circuit. */
  readonly circuit: CircuitState
  /** Whether a person requested the next attempt, which waits for no circuit. */
  readonly requested: boolean
  /** Most attempts a second at the endpoint. `null` for no limit. */
  readonly max_rate: number | null
  /** Whether it was released with others and its turn has not come. */
  readonly awaits_turn: boolean
  /** Milliseconds of its window that had passed when it was held. 0 if it was not held in this window. */
  readonly window_used_ms: number
  /** Milliseconds since its window runs again, by the clock of the database. `null` unless its workflow started. */
  readonly window_age_ms: number | null
  readonly url: string
  /** Frozen bytes in the delivery's format and version. `null` until the event is sealed. */
  readonly body: Buffer | null
  readonly secret_sealed: Buffer
  /** Previous secret. `null` after its grace period. */
  readonly previous_secret_sealed: Buffer | null
}

/**
 * Reads a delivery with its event and endpoint. `null` if there is no such delivery. It stores the bytes of one
 * whose event was sealed before the delivery was made, if they are not those of the event.
 */
export async function loadAttempt(sql: Queryable, deliveryId: string): Promise<LoadedAttempt | null> {
  const read = () => sql<(LoadedAttempt & { sealed: boolean })[]>`
    SELECT ${attemptColumns(sql)}, event.body IS NOT NULL AS sealed
    FROM ${attemptTables(sql)} WHERE delivery.id = ${deliveryId}`
  const [row] = await read()
  if (!row) return null
  if (row.body !== null || !row.sealed) return row
  await freezeVersion(sql, deliveryId)
  const [frozen] = await read()
  return frozen ?? null
}

/** Returns the tables that `attemptColumns` reads. */
export const attemptTables = (sql: Queryable) => sql`
  webhook_deliveries delivery
  JOIN events event ON event.id = delivery.event_id
  JOIN webhook_endpoints endpoint ON endpoint.id = delivery.endpoint_id
  LEFT JOIN webhook_circuits circuit ON circuit.endpoint_id = delivery.endpoint_id
  LEFT JOIN event_bodies older ON older.event_id = delivery.event_id AND older.schema_version = delivery.schema_version`

/** Returns the columns of `LoadedAttempt`. */
export const attemptColumns = (sql: Queryable) => sql`
  delivery.status, delivery.restarts, delivery.attempts, delivery.first_attempt_at,
  (extract(epoch FROM clock_timestamp() - delivery.first_attempt_at) * 1000)::float8 AS first_attempt_age_ms,
  delivery.merchant_id, delivery.event_id,
  event.type AS event_type, delivery.endpoint_id, endpoint.status AS endpoint_status,
  coalesce(circuit.state, 'closed') AS circuit, delivery.requested,
  delivery.turn IS NOT NULL AND delivery.workflow_started_at IS NULL AS awaits_turn,
  delivery.window_used_ms::float8 AS window_used_ms,
  (extract(epoch FROM clock_timestamp() - delivery.window_started_at) * 1000)::float8 AS window_age_ms,
  endpoint.max_rate, endpoint.url, endpoint.secret_sealed,
  CASE WHEN endpoint.previous_secret_until > now() THEN endpoint.previous_secret_sealed END AS previous_secret_sealed,
  CASE WHEN delivery.format = 'layer1' AND event.layer1_body IS NOT NULL THEN event.layer1_body
       WHEN delivery.schema_version IS NULL THEN event.body
       ELSE older.body END AS body`
