/** Creates a webhook endpoint with a secret that the test knows. */

import { randomBytes } from 'node:crypto'
import type { Sql } from '../../db/connect.js'
import { createEndpoint } from '../../db/events/webhooks/create-endpoint.js'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { NEWEST_SCHEMA_VERSION } from '../../domain/events/schema-version.js'
import { formatWebhookSecret } from '../../domain/events/webhook-signature.js'
import { sealSecret } from '../../vault/seal-secret.js'

export interface TestEndpoint {
  readonly merchantId: string
  readonly url: string
  /** Key that seals the endpoint's secret. */
  readonly masterKey: string
  /** Default: every type. */
  readonly eventTypes?: string[]
  readonly format?: EndpointRow['format']
  /** Most attempts a second. Default: no limit. */
  readonly maxRate?: number
  /** Default: the newest. */
  readonly schemaVersion?: EndpointRow['schema_version']
}

/** Creates the endpoint. @returns Its row, and its secret in the clear. */
export async function createTestEndpoint(
  sql: Sql,
  {
    merchantId,
    url,
    masterKey,
    eventTypes,
    format = 'keyturn',
    schemaVersion = NEWEST_SCHEMA_VERSION,
    maxRate,
  }: TestEndpoint,
): Promise<EndpointRow & { secret: string }> {
  const secret = formatWebhookSecret(randomBytes(32))
  const row = await sql.begin((tx) =>
    createEndpoint(tx, {
      merchantId,
      url,
      eventTypes: eventTypes ?? null,
      format,
      schemaVersion,
      maxRate: maxRate ?? null,
      seal: (id) => sealSecret(masterKey, Buffer.from(secret), { table: 'webhook_endpoints', key: [id] }),
    }),
  )
  return { ...row, secret }
}
