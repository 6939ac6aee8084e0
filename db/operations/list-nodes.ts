/** Lists the nodes of every network with the latest reports of the workers. */

import type { NodeReport } from '../../chains/node-report.js'
import type { Queryable } from '../connect.js'

export interface NodeRow extends NodeReport {
  readonly network: string
}

/** Age above which a report is no longer valid. */
const SEEN_WITHIN_SECONDS = 120

/** Returns the nodes, sorted by network and number. */
export async function listNodes(sql: Queryable): Promise<NodeRow[]> {
  return sql<NodeRow[]>`
    SELECT network, endpoint, state, reason FROM chain_nodes
    WHERE seen_at > clock_timestamp() - make_interval(secs => ${SEEN_WITHIN_SECONDS})
    ORDER BY network, endpoint`
}
