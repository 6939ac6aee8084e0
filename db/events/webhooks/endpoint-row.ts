/** Webhook endpoints as rows. */

import type { Queryable } from '../../connect.js'

export interface EndpointRow {
  readonly id: string
  readonly merchant_id: string
  readonly url: string
  /** Null: every type. */
  readonly event_types: string[] | null
  readonly format: 'keyturn' | 'layer1'
  readonly status: 'active' | 'disabled' | 'deleted'
  /** Until then the secret before the last rotation signs too. */
  readonly previous_secret_until: Date | null
  readonly created_at: Date
}

/** The columns of `EndpointRow`; secrets are read by the sender alone. */
export const endpointColumns = (sql: Queryable) =>
  sql`id, merchant_id, url, event_types, format, status, previous_secret_until, created_at`
