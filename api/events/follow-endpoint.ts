/** Moves the deliveries of an endpoint whose status a request has changed. */

import { type MovedDeliveries, moveDeliveries } from '../../db/events/webhooks/move-deliveries.js'
import type { ApiDependencies } from '../context.js'

/**
 * Lets the first batches of deliveries follow their endpoint after the commit, so that a merchant with few of them
 * reads at once what the request did. The sweeper moves the rest, and all of them if this fails.
 */
export async function followEndpoint(
  { sql, log }: ApiDependencies,
  endpointId: string,
): Promise<MovedDeliveries> {
  try {
    return await moveDeliveries(sql, endpointId)
  } catch (error) {
    log.warn({ err: error }, `the deliveries of ${endpointId} were not moved; the sweeper will do it`)
    return { count: 0, waiting: [] }
  }
}
