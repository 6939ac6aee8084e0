/** Stores the reports about the nodes of a network. */

import type { NodeReport } from '../../chains/node-report.js'
import { inTransaction, type Sql } from '../connect.js'

/** Replaces the reports of the network's nodes. `since` changes only with the state. */
export async function saveNodeReports(
  sql: Sql,
  network: string,
  reports: readonly NodeReport[],
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    for (const { endpoint, state, reason } of reports) {
      await tx`
        INSERT INTO chain_nodes AS node (network, endpoint, state, reason)
        VALUES (${network}, ${endpoint}, ${state}, ${reason})
        ON CONFLICT (network, endpoint) DO UPDATE SET
          state = excluded.state, reason = excluded.reason, seen_at = clock_timestamp(),
          since = CASE WHEN node.state = excluded.state THEN node.since ELSE clock_timestamp() END`
    }
    // Delete the reports of nodes that are no longer configured.
    await tx`DELETE FROM chain_nodes WHERE network = ${network} AND endpoint > ${reports.length}`
  })
}
