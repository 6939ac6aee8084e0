/** Creates the secret of a webhook endpoint. */

import { randomBytes } from 'node:crypto'
import { formatWebhookSecret } from '../../domain/events/webhook-signature.js'
import { sealSecret } from '../../vault/seal-secret.js'

const SECRET_BYTES = 32

/** Returns a new secret (`whsec_…`), and the function that seals it for the row of its endpoint. */
export function newEndpointSecret(masterKey: string): {
  readonly secret: string
  readonly seal: (endpointId: string) => Buffer
} {
  const secret = formatWebhookSecret(randomBytes(SECRET_BYTES))
  return {
    secret,
    seal: (endpointId) =>
      sealSecret(masterKey, Buffer.from(secret), { table: 'webhook_endpoints', key: [endpointId] }),
  }
}
