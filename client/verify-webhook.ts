/** Verifies a webhook over its raw bytes, before anything is parsed. */

import { verifyWebhookSignature } from '../domain/events/webhook-signature.js'
import type { MerchantEvent } from '../wire/event.js'

/** Headers as the receiving framework gives them. Names may have any case. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>

/** Reports a webhook on which the receiver must not act. Answer it with 401. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError'
}

const DEFAULT_TOLERANCE_SECONDS = 300

/**
 * Checks the signature (Standard Webhooks) and the age of a webhook, and returns its event. A delivery may
 * come more than once: remember `id`, and skip an event that you have seen.
 *
 * @param rawBody - The bytes as received. JSON that was parsed and written again has another signature.
 * @param secret - `whsec_…`. While you rotate the secret, a list of the old and the new one.
 * @param toleranceSeconds - Largest distance of `webhook-timestamp` from now. Default: 300.
 * @throws WebhookVerificationError when the platform did not send the webhook, or it was changed or is too
 * old.
 */
export function verifyWebhook(
  headers: WebhookHeaders,
  rawBody: Uint8Array,
  secret: string | readonly string[],
  toleranceSeconds: number = DEFAULT_TOLERANCE_SECONDS,
): MerchantEvent {
  const id = header(headers, 'webhook-id')
  const timestamp = header(headers, 'webhook-timestamp')
  const signature = header(headers, 'webhook-signature')
  if (!id || !signature || !timestamp || !/^\d{1,12}$/.test(timestamp)) {
    throw new WebhookVerificationError('webhook-id, webhook-timestamp and webhook-signature are needed')
  }
  const received = {
    id,
    timestamp: Number(timestamp),
    body: rawBody,
    signature,
    now: Math.floor(Date.now() / 1_000),
    toleranceSeconds,
  }
  if (Math.abs(received.now - received.timestamp) > toleranceSeconds) {
    throw new WebhookVerificationError('The webhook is too old or from the future; check your clock')
  }
  const secrets = typeof secret === 'string' ? [secret] : secret
  if (!secrets.some((each) => verifyWebhookSignature({ ...received, secret: each }))) {
    throw new WebhookVerificationError('No signature matches; check the secret, and that the body is raw')
  }
  return JSON.parse(Buffer.from(rawBody).toString('utf8')) as MerchantEvent
}

function header(headers: WebhookHeaders, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined
  for (const [key, value] of Object.entries(headers)) {
    if (key.toLowerCase() === name) return typeof value === 'string' ? value : value?.[0]
  }
  return undefined
}
