/** Builds the headers of a webhook, as Standard Webhooks names them. */

import { signWebhook, type WebhookMessage } from './webhook-signature.js'

const USER_AGENT = 'Keyturn-Webhooks/1'

/**
 * Returns the headers of a webhook.
 *
 * @throws Error if a secret is malformed.
 */
export function webhookHeaders(
  message: WebhookMessage & { readonly secrets: readonly string[] },
): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': USER_AGENT,
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestamp),
    'webhook-signature': signWebhook(message),
  }
}
