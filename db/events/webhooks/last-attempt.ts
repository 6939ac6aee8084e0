/** Reads the newest attempt of a delivery. */

import type { Queryable } from '../../connect.js'

export interface LastAttempt {
  readonly status_code: number | null
  /** Reason of the failure. `null` if the endpoint accepted the event. */
  readonly error: string | null
}

/** Returns the newest attempt in the log of a delivery. `null` if there is none. */
export async function lastAttempt(sql: Queryable, deliveryId: string): Promise<LastAttempt | null> {
  const [row] = await sql<LastAttempt[]>`
    SELECT status_code, error FROM webhook_attempts
    WHERE delivery_id = ${deliveryId} ORDER BY number DESC LIMIT 1`
  return row ?? null
}
