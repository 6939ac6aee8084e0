/** Builds the requests of a conformance test: right ones, and wrong ones of each kind that a consumer must refuse. */

import { randomBytes } from 'node:crypto'
import { writeVersion } from '../../db/events/log/freeze-version.js'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { newId } from '../../db/new-id.js'
import { NEWEST_SCHEMA_VERSION } from '../../domain/events/schema-version.js'
import { webhookHeaders } from '../../domain/events/webhook-headers.js'
import { formatWebhookSecret } from '../../domain/events/webhook-signature.js'
import type { EventEnvelope, WebhookTested } from '../../wire/event.js'
import type { ConformanceCase } from '../../wire/webhook-conformance.js'

/** A request of the test, and the answer that a right consumer gives. */
export interface PlannedCase extends Pick<ConformanceCase, 'name' | 'expected'> {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

const STALE_SECONDS = 3_600
const EARLIER_MS = 60_000
const SECRET_BYTES = 32

/**
 * Returns the cases in the order in which they are sent. All are `webhook.test` events, so that a consumer that works
 * changes nothing, in the version that the endpoint has. They have the sequence 0, which no other event has.
 *
 * @param now - Milliseconds since the epoch.
 */
export function planCases(endpoint: EndpointRow, secrets: readonly string[], now: number): PlannedCase[] {
  const seconds = Math.floor(now / 1_000)
  const event = (at: number) => {
    const id = newId('evt')
    const data: WebhookTested = {
      endpoint_id: endpoint.id,
      message: 'This is a test of your consumer; nothing happened.',
      schema_version: NEWEST_SCHEMA_VERSION,
    }
    const envelope: EventEnvelope = {
      id,
      event: 'webhook.test',
      timestamp: new Date(at).toISOString(),
      sequence: 0,
      data,
    }
    return { id, body: Buffer.from(writeVersion(envelope, endpoint.schema_version)) }
  }
  const valid = event(now)
  const sent = (
    name: PlannedCase['name'],
    expected: PlannedCase['expected'],
    { id, body }: { readonly id: string; readonly body: Buffer },
    signed: { readonly timestamp?: number; readonly secrets?: readonly string[] } = {},
  ): PlannedCase => ({
    name,
    expected,
    body,
    headers: webhookHeaders({ id, body, timestamp: seconds, secrets, ...signed }),
  })
  const changed = sent('tampered', '4xx', event(now))
  const foreign = formatWebhookSecret(randomBytes(SECRET_BYTES))
  return [
    sent('valid', '2xx', valid),
    sent('repeated', '2xx', valid),
    { ...changed, body: Buffer.from(String(changed.body).replace('nothing happened', 'all happened')) },
    sent('wrong_secret', '4xx', event(now), { secrets: [foreign] }),
    sent('stale', '4xx', event(now - STALE_SECONDS * 1_000), { timestamp: seconds - STALE_SECONDS }),
    sent('out_of_order', '2xx', event(now - EARLIER_MS)),
  ]
}
