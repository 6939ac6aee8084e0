/** Signs a request of a merchant (contract section 2). */

import { createHmac, randomUUID } from 'node:crypto'
import { requestMessage } from '../domain/signing/request-signature.js'

export interface RequestToSign {
  readonly apiKey: string
  readonly apiSecret: string
  /** Upper case. */
  readonly method: string
  /** Path with query exactly as it will be sent. */
  readonly path: string
  readonly body: Uint8Array
}

/** Makes the four headers, with a fresh nonce and the time of now: sign each attempt anew. */
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
