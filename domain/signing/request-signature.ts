/** Builds the message of a signed request, for the API, the client and the tests' clients. */

import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

export interface SignedRequest {
  /** Unix seconds, as sent in `X-Timestamp`. */
  readonly timestamp: string
  /** Nonce, as sent in `X-Nonce`. */
  readonly nonce: string
  /** Upper-case HTTP method. */
  readonly method: string
  /** Path with query exactly as sent. */
  readonly path: string
  /** Raw body bytes. Empty without a body. */
  readonly body: Uint8Array
}

/**
 * Returns the message over which merchants make an HMAC-SHA256 and customers' signers an Ed25519 signature.
 */
export function requestMessage(request: SignedRequest): string {
  return hashedRequestMessage(request, bytesToHex(sha256(request.body)))
}

/** As `requestMessage`, for a caller that has the lower-case hex SHA-256 of the body. */
export function hashedRequestMessage(request: Omit<SignedRequest, 'body'>, bodySha256: string): string {
  return `${request.timestamp}\n${request.nonce}\n${request.method}\n${request.path}\n${bodySha256}`
}
