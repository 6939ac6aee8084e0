/** Lets an attempt wait for its time at an endpoint that limits how many a second it gets. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../../db/connect.js'
import type { LoadedAttempt } from '../../db/events/webhooks/load-attempt.js'
import { LATE_MS, takeSlot } from '../../db/events/webhooks/take-slot.js'
import type { AttemptRun } from './attempt.js'

/** Longest wait within an activity, which holds a place of the worker. */
const PATIENCE_MS = 2_000
/** Time before its slot at which a delivery is attempted again, because a workflow's timer may be late. */
const LEAD_MS = 1_000
/** Slots that an attempt may miss because the worker is busy, after which it is made all the same. */
const MOST_MISSED = 3

/**
 * Waits until the attempt may be made. An attempt that was kept from its time reserves another one, so that those
 * that were late do not go out together.
 *
 * @returns `null` if it may be made now. Otherwise how many milliseconds later it shall be tried again: its time is
 * reserved until then.
 */
export async function waitForSlot(
  sql: Sql,
  deliveryId: string,
  { max_rate: rate }: LoadedAttempt,
  run: AttemptRun,
): Promise<number | null> {
  if (rate === null) return null
  for (let missed = 0; ; missed += 1) {
    const slotMs = await takeSlot(sql, deliveryId)
    if (slotMs > PATIENCE_MS) return Math.round(slotMs - LEAD_MS)
    const due = performance.now() + slotMs
    if (slotMs > 0) await sleep(slotMs, undefined, { signal: run.signal })
    if (performance.now() - due < LATE_MS || missed === MOST_MISSED) return null
    run.heartbeat()
  }
}
