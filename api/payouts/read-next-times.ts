/** Reads the next firing times of a withdrawal schedule from Temporal. */

import { readNextFirings } from '../../temporal/apply-schedule.js'
import type { ApiDependencies } from '../context.js'

/** Time for the answer of Temporal, because a request must not wait for a server that is down. */
const TIMEOUT_MS = 2_000
const MOST_TIMES = 5

/** Returns at most five times (ISO 8601). `null` if Temporal does not answer in time. */
export async function readNextTimes({ temporal }: ApiDependencies, id: string): Promise<string[] | null> {
  const client = temporal?.schedule
  if (!client) return null
  try {
    const times = await client.connection.withDeadline(Date.now() + TIMEOUT_MS, () =>
      readNextFirings(client, id),
    )
    return times.slice(0, MOST_TIMES).map((time) => time.toISOString())
  } catch {
    return null
  }
}
