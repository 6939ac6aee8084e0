/** Signs a request of a merchant with HMAC-SHA256. */

import { createHash, createHmac, randomUUID } from 'node:crypto'
import { hashedRequestMessage } from '../domain/signing/request-signature.js'

/** A request, and the API key that signs it. */
export interface RequestToSign {
  readonly apiKey: string
  readonly apiSecret: string
  /** HTTP method in upper case. */
  readonly method: string
  /** Path with query, exactly as it will be sent. */
  readonly path: string
  readonly body: Uint8Array
  /** Whether the hash of the body is announced, so that the platform verifies the signature before it reads it. */
  readonly announced?: boolean
}

/** Returns the headers of authentication, with a new nonce and the current time. Each attempt needs its own. */
export function signRequest(request: RequestToSign): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1_000))
  const nonce = randomUUID()
  const bodySha256 = createHash('sha256').update(request.body).digest('hex')
  const message = hashedRequestMessage(
    { timestamp, nonce, method: request.method, path: request.path },
    bodySha256,
  )
  return {
    'X-Api-Key': request.apiKey,
    'X-Timestamp': timestamp,
    'X-Nonce': nonce,
    'X-Signature': createHmac('sha256', request.apiSecret).update(message).digest('hex'),
    ...(request.announced ? { 'X-Content-Sha256': bodySha256 } : {}),
  }
}
