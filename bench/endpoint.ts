/** Creates the endpoint of a bench merchant. */

import { randomBytes } from 'node:crypto'
import { inTransaction, type Sql } from '../db/connect.js'
import { createEndpoint } from '../db/events/webhooks/create-endpoint.js'
import { formatWebhookSecret } from '../domain/events/webhook-signature.js'
import { sealSecret } from '../vault/seal-secret.js'
import { MASTER_KEY } from './platform.js'

/** Creates an endpoint that receives every event of a merchant. Its secret is sealed by the platform's key. */
export async function createBenchEndpoint(sql: Sql, merchantId: string, url: string): Promise<void> {
  await inTransaction(sql, (tx) =>
    createEndpoint(tx, {
      merchantId,
      url,
      eventTypes: null,
      format: 'keyturn',
      seal: (id) =>
        sealSecret(MASTER_KEY, Buffer.from(formatWebhookSecret(randomBytes(32))), {
          table: 'webhook_endpoints',
          key: [id],
        }),
    }),
  )
}
