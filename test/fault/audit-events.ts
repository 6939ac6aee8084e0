/** What merchants learn: whether webhooks carry what was sealed, and whether each change of status follows the one before. */

import { z } from 'zod'
import type { StackFile } from '../../local/stack/stack-file.js'
import type { EventEnvelope } from '../../wire/event.js'

/** What the merchant's endpoint received. */
export interface ReceivedWebhooks {
  /** How many requests brought it. */
  readonly requests: number
  /** Bodies that had no signature of the platform. */
  readonly unverified: readonly string[]
  /** By an event's id, each different body that came with it. */
  readonly bodies: ReadonlyMap<string, readonly string[]>
}

const requests = z.array(z.object({ raw_body: z.string(), verified: z.boolean() }))
const identified = z.object({ id: z.string() })

/** Asks the merchant of the local stack. */
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

/** Lines about changes of status that do not follow the one before, in the order of their sequence; none is what is wanted. */
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
