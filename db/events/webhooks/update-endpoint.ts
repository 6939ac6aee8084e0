/** Changes a webhook endpoint. A change of its status holds or releases its deliveries. */

import type { Transaction } from '../../connect.js'
import { changeEndpointStatus } from './change-endpoint-status.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'
import { findEndpoint } from './find-endpoint.js'
import { probeSoon } from './move-circuit.js'
import { releaseSlots } from './release-slots.js'

export interface EndpointChange {
  readonly url?: string | undefined
  readonly eventTypes?: readonly string[] | null | undefined
  /** Format of later events. Existing deliveries keep their bytes. */
  readonly format?: EndpointRow['format'] | undefined
  /** Version of later events. Existing deliveries keep their bytes. */
  readonly schemaVersion?: EndpointRow['schema_version'] | undefined
  /** Most attempts a second, from now on. `null` for no limit. */
  readonly maxRate?: number | null | undefined
  /** Status. `disabled` holds pending deliveries, `active` releases held ones. */
  readonly status?: 'active' | 'disabled' | undefined
}

/** Applies the change. Returns `null` if there is no such endpoint. */
export async function updateEndpoint(
  tx: Transaction,
  merchantId: string,
  id: string,
  change: EndpointChange,
): Promise<EndpointRow | null> {
  const before = await findEndpoint(tx, merchantId, id, true)
  if (!before) return null
  const eventTypes = change.eventTypes === undefined ? before.event_types : change.eventTypes
  const maxRate = change.maxRate === undefined ? before.max_rate : change.maxRate
  const [row] = await tx<EndpointRow[]>`
    UPDATE webhook_endpoints SET
      url = ${change.url ?? before.url}, event_types = ${eventTypes === null ? null : [...eventTypes]},
      format = ${change.format ?? before.format}, schema_version = ${change.schemaVersion ?? before.schema_version},
      max_rate = ${maxRate}
    WHERE id = ${id} RETURNING ${endpointColumns(tx)}`
  if (!row) return null
  if (maxRate !== before.max_rate) await releaseSlots(tx, id)
  const moved = change.status === undefined ? row : await changeEndpointStatus(tx, row, change.status)
  if (change.url !== undefined && change.url !== before.url) await probeSoon(tx, id)
  return moved
}
