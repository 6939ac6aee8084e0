/** Makes long activities heartbeat, so that Temporal notices within seconds that their worker has died. */

import { Context } from '@temporalio/activity'

/** Interval of heartbeats, well below the heartbeat timeouts of the workflows. */
const HEARTBEAT_MS = 3_000

type Activity = (...args: never[]) => Promise<unknown>

/**
 * Makes activities heartbeat while they run.
 *
 * @param activities - Short and long activities. Their workflows set a `heartbeatTimeout` for the long ones.
 */
export function heartbeating<Activities extends { [Name in keyof Activities]: Activity }>(
  activities: Activities,
): Activities {
  const beating = Object.entries<Activity>(activities).map(([name, activity]) => [
    name,
    async (...args: never[]) => {
      const context = Context.current()
      const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS)
      try {
        return await activity(...args)
      } finally {
        clearInterval(timer)
      }
    },
  ])
  return Object.fromEntries(beating) as Activities
}
