/** Audits what merchants receive: the bodies of webhooks, and the order of changes of status. */

import { z } from 'zod'
import type { StackFile } from '../../local/stack/stack-file.js'
import type { EventEnvelope } from '../../wire/event.js'

/** The webhooks that the merchant's endpoint received. */
export interface ReceivedWebhooks {
  /** Number of requests. */
  readonly requests: number
  /** Bodies without a valid signature of the platform. */
  readonly unverified: readonly string[]
  /** Different bodies of each event, by the event's id. */
  readonly bodies: ReadonlyMap<string, readonly string[]>
}

const requests = z.array(z.object({ raw_body: z.string(), verified: z.boolean() }))
const identified = z.object({ id: z.string() })

/** Reads what the merchant of the local stack received. */
export async function readReceived({ webhook }: StackFile): Promise<ReceivedWebhooks> {
  const received = requests.parse(await (await fetch(webhook.received)).json())
  const bodies = new Map<string, string[]>()
  for (const { raw_body: body } of received) {
    const { id } = identified.parse(JSON.parse(body))
    const known = bodies.get(id) ?? []
    if (!known.includes(body)) bodies.set(id, [...known, body])
  }
  return {
    requests: received.length,
    unverified: received.filter(({ verified }) => !verified).map(({ raw_body }) => raw_body),
    bodies,
  }
}

/**
 * Returns a line for each change of status that does not follow the one before, by sequence. A test wants
 * none.
 */
export function findStatusesOutOfOrder(events: readonly EventEnvelope[]): string[] {
  const wrong: string[] = []
  const last = new Map<unknown, unknown>()
  for (const { event, sequence, data } of events) {
    if (!event.endsWith('.status_changed')) continue
    const before = last.get(data.id) ?? null
    if (data.previous_status !== before) {
      wrong.push(`${sequence}: ${data.id} was ${before}, and the event says ${data.previous_status}`)
    }
    last.set(data.id, data.status)
  }
  return wrong
}
