/** Lists the event log of a merchant, in order and without a gap. */

import type { Queryable } from '../../connect.js'

export interface SealedEvent {
  readonly sequence: bigint
  /** Frozen bytes, as they were delivered. */
  readonly body: Buffer
}

/** Returns the events after a sequence, oldest first. */
export async function listEvents(
  sql: Queryable,
  merchantId: string,
  after: bigint,
  take: number,
): Promise<SealedEvent[]> {
  return sql<SealedEvent[]>`
    SELECT sequence, body FROM events
    WHERE merchant_id = ${merchantId} AND sequence > ${after}
    ORDER BY sequence LIMIT ${take}`
}
