/** Declares a row of `webhook_endpoints`. */

import type { CircuitState } from '../../../domain/events/circuit.js'
import type { EndpointStatus } from '../../../domain/events/endpoint-status.js'
import type { SchemaVersion } from '../../../domain/events/schema-version.js'
import type { Queryable } from '../../connect.js'

export interface EndpointRow {
  readonly id: string
  readonly merchant_id: string
  readonly url: string
  /** Types that the endpoint subscribes to. `null` for every type. */
  readonly event_types: string[] | null
  readonly format: 'keyturn' | 'layer1'
  /** Version of the data of later events. */
  readonly schema_version: SchemaVersion
  /** Most attempts a second. `null` for no limit. */
  readonly max_rate: number | null
  readonly status: EndpointStatus | 'deleted'
  /** Time until which the previous secret signs as well. `null` if none does. */
  readonly previous_secret_until: Date | null
  readonly created_at: Date
  readonly circuit: CircuitState
}

/** Returns the columns of `EndpointRow`. Only the sender reads secrets. */
export const endpointColumns = (sql: Queryable) =>
  sql`id, merchant_id, url, event_types, format, schema_version, max_rate, status, previous_secret_until, created_at,
      coalesce((SELECT state FROM webhook_circuits WHERE endpoint_id = webhook_endpoints.id), 'closed') AS circuit`
