/** The nodes of every network, as the workers last found them. */

import type { NodeReport } from '../../chains/node-report.js'
import type { Queryable } from '../connect.js'

export interface NodeRow extends NodeReport {
  readonly network: string
}

/** What no worker has looked at for this long says nothing any more. */
const SEEN_WITHIN_SECONDS = 120

/** By network and place. */
export async function listNodes(sql: Queryable): Promise<NodeRow[]> {
  return sql<NodeRow[]>`
    SELECT network, endpoint, state, reason FROM chain_nodes
    WHERE seen_at > clock_timestamp() - make_interval(secs => ${SEEN_WITHIN_SECONDS})
    ORDER BY network, endpoint`
}
