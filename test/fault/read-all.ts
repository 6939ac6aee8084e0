/** Reads lists of the API from their first page to their last. */

import type { Client } from '../../client/create-client.js'
import type { EventEnvelope } from '../../wire/event.js'

/** Returns every event of a merchant, oldest first. */
export async function allEvents(client: Client): Promise<EventEnvelope[]> {
  const events: EventEnvelope[] = []
  for (;;) {
    const { items, pagination } = await client.events({ after: events.at(-1)?.sequence ?? 0, limit: 100 })
    events.push(...items)
    if (!pagination.has_more) return events
  }
}

/** Returns all items of a list. @param page - Requests the page at a cursor. */
export async function all<T>(
  page: (cursor: { cursor?: string }) => Promise<{
    readonly items: readonly T[]
    readonly pagination: { readonly has_more: boolean; readonly next_cursor: string | null }
  }>,
): Promise<T[]> {
  const found: T[] = []
  let cursor: string | null = null
  do {
    const { items, pagination }: Awaited<ReturnType<typeof page>> = await page(
      cursor === null ? {} : { cursor },
    )
    found.push(...items)
    cursor = pagination.has_more ? pagination.next_cursor : null
  } while (cursor !== null)
  return found
}
