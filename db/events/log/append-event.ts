/** Records one event and its deliveries, in the transaction of the change that it reports. */

import type { Transaction } from '../../connect.js'
import { appendEvents, type NewEvent } from './append-events.js'

/** Records one event as `appendEvents` does. @returns The event's id (`evt_…`). */
export async function appendEvent(tx: Transaction, event: NewEvent): Promise<string> {
  const [id] = await appendEvents(tx, [event])
  if (!id) throw new Error('The event was not stored')
  return id
}
