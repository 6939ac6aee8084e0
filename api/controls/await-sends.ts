/** Waits until what was being sent when settlement was paused has been sent. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../../db/connect.js'
import { countSends } from '../../db/controls/pauses/begin-send.js'
import type { PauseScope } from '../../db/controls/pauses/pause-row.js'

const LONGEST_MS = 10_000
const POLL_MS = 50

/**
 * Call it after the pause is committed: from then on nothing begins to be sent, so the count only falls.
 *
 * @returns How many payouts may still be in the hands of a process, whose node is slow or which died.
 */
export async function awaitSends(sql: Sql, scope: PauseScope): Promise<number> {
  const until = performance.now() + LONGEST_MS
  for (;;) {
    const sending = await countSends(sql, scope)
    if (sending === 0 || performance.now() >= until) return sending
    await sleep(POLL_MS)
  }
}
