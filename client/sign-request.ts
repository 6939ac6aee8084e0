/** Signs a request of a merchant with HMAC-SHA256. */

import { createHmac, randomUUID } from 'node:crypto'
import { requestMessage } from '../domain/signing/request-signature.js'

/** A request, and the API key that signs it. */
export interface RequestToSign {
  readonly apiKey: string
  readonly apiSecret: string
  /** HTTP method in upper case. */
  readonly method: string
  /** Path with query, exactly as it will be sent. */
  readonly path: string
  readonly body: Uint8Array
}

/** Returns the four headers, with a new nonce and the current time. Each attempt needs its own. */
export function signRequest(request: RequestToSign): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1_000))
  const nonce = randomUUID()
  const message = requestMessage({
    timestamp,
    nonce,
    method: request.method,
    path: request.path,
    body: request.body,
  })
  return {
    'X-Api-Key': request.apiKey,
    'X-Timestamp': timestamp,
    'X-Nonce': nonce,
    'X-Signature': createHmac('sha256', request.apiSecret).update(message).digest('hex'),
  }
}
