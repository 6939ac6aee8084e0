/**
 * Signs and verifies webhooks by Standard Webhooks 1.0.0.
 *
 * The signature covers the bytes that go over the wire. JSON that was parsed and written again is another
 * message.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'

const SECRET_PREFIX = 'whsec_'
const VERSION = 'v1'
/** The standard's bounds for a symmetric secret, in bytes. */
const MIN_SECRET_BYTES = 24
const MAX_SECRET_BYTES = 64
const DEFAULT_TOLERANCE_SECONDS = 300

export interface WebhookMessage {
  /** Header `webhook-id`: the event's id, the same in every attempt. */
  readonly id: string
  /** Header `webhook-timestamp`: Unix seconds of the attempt. */
  readonly timestamp: number
  /** Raw body. */
  readonly body: Uint8Array
}

/** Received webhook, with the secret and the clock of its receiver. */
export interface ReceivedWebhook extends WebhookMessage {
  /** Header `webhook-signature`: one or more signatures, separated by spaces. */
  readonly signature: string
  /** Secret of the endpoint, `whsec_…`. */
  readonly secret: string
  /** Receiver's clock in Unix seconds. */
  readonly now: number
  /** Largest difference between the timestamp and `now`, either way. Default 300. */
  readonly toleranceSeconds?: number
}

/**
 * Signs a message with every live secret (two during a rotation).
 *
 * @returns The value of `webhook-signature`: `v1,<base64>` for each secret, separated by a space.
 * @throws Error if a secret is not `whsec_` and the base64 of 24 to 64 bytes.
 */
export function signWebhook(message: WebhookMessage & { readonly secrets: readonly string[] }): string {
  return message.secrets.map((secret) => `${VERSION},${hmac(secret, message).toString('base64')}`).join(' ')
}

/**
 * Returns whether one of the signatures is by this secret and the timestamp is near. A wrong signature takes
 * as long as a right one. Signatures of other versions are ignored.
 *
 * @throws Error if the secret itself is malformed.
 */
export function verifyWebhookSignature(received: ReceivedWebhook): boolean {
  const tolerance = received.toleranceSeconds ?? DEFAULT_TOLERANCE_SECONDS
  if (!Number.isSafeInteger(received.timestamp)) return false
  if (Math.abs(received.now - received.timestamp) > tolerance) return false
  const expected = hmac(received.secret, received)
  let valid = false
  for (const signature of received.signature.split(' ')) {
    const [version, encoded] = signature.split(',', 2)
    if (version !== VERSION || encoded === undefined) continue
    const given = Buffer.from(encoded, 'base64')
    if (given.length === expected.length && timingSafeEqual(given, expected)) valid = true
  }
  return valid
}

/** Returns a secret in the form that merchants receive. @param bytes - 24 to 64 random bytes. */
export function formatWebhookSecret(bytes: Uint8Array): string {
  const secret = SECRET_PREFIX + Buffer.from(bytes).toString('base64')
  secretBytes(secret)
  return secret
}

function hmac(secret: string, message: WebhookMessage): Buffer {
  return createHmac('sha256', secretBytes(secret))
    .update(`${message.id}.${message.timestamp}.`)
    .update(message.body)
    .digest()
}

function secretBytes(secret: string): Buffer {
  const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : ''
  const bytes = Buffer.from(encoded, 'base64')
  const canonical = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
  if (!canonical || bytes.length < MIN_SECRET_BYTES || bytes.length > MAX_SECRET_BYTES) {
    throw new Error(
      `A webhook secret is "${SECRET_PREFIX}" and the base64 of ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes`,
    )
  }
  return bytes
}
