/** Lets Temporal notice within seconds that the worker of a long activity has died. */

import { Context } from '@temporalio/activity'

/** Well inside the heartbeat timeouts of the workflows. */
const HEARTBEAT_MS = 3_000

/**
 * Makes activities heartbeat while they run.
 *
 * @param activities - Short and long ones; their workflows give those a `heartbeatTimeout` that need it.
 */
export function heartbeating<Activities extends Record<string, (...args: never[]) => Promise<unknown>>>(
  activities: Activities,
): Activities {
  const beating = Object.entries(activities).map(([name, activity]) => [
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
