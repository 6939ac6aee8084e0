/** Reads the figures of the database for an operator's graphs. */

import { OPEN_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import { readSmallTransfers, type SmallTransfers } from '../chain/count-small.js'
import type { Sql } from '../connect.js'
import { members } from '../members.js'
import { listNodes, type NodeRow } from './list-nodes.js'

export interface Gauges {
  readonly chains: readonly {
    readonly network: string
    readonly scanned: number
    readonly lag: number
    readonly ok: boolean
  }[]
  /** Nodes that a worker checked recently. */
  readonly nodes: readonly NodeRow[]
  /** Number of events without a sequence. */
  readonly unsealedEvents: number
  /** Number of postponed rows, by kind. */
  readonly putOff: Readonly<Record<'events' | 'audit_entries' | 'deliveries' | 'schedules', number>>
  /** Number of pending deliveries. */
  readonly pendingDeliveries: number
  /** Number of endpoints by the state of their circuit, without the closed ones. */
  readonly circuits: Readonly<Record<'open' | 'half_open', number>>
  /** Number of deposits on their way to success. */
  readonly openDeposits: number
  /** Transfers below the minimum of their network, which are counted but not credited. */
  readonly smallTransfers: readonly SmallTransfers[]
}

/** Reads the figures. A partial index serves each of them. */
export async function readGauges(sql: Sql): Promise<Gauges> {
  const [nodes, smallTransfers, chains, [counts]] = await Promise.all([
    listNodes(sql),
    readSmallTransfers(sql),
    sql<{ network: string; height: bigint; head_height: bigint; health: string }[]>`
      SELECT network, height, head_height, health FROM chain_cursors`,
    sql<
      {
        unsealed: number
        pending: number
        open: number
        events: number
        audit_entries: number
        deliveries: number
        schedules: number
        circuits_open: number
        circuits_half_open: number
      }[]
    >`
      SELECT (SELECT count(*)::int FROM events WHERE sequence IS NULL) AS unsealed,
             (SELECT count(*)::int FROM webhook_deliveries WHERE status = 'pending') AS pending,
             (SELECT count(*)::int FROM deposits
              WHERE status IN ${members(sql, OPEN_DEPOSITS)}) AS open,
             (SELECT count(*)::int FROM events WHERE sequence IS NULL AND seal_failures > 0) AS events,
             (SELECT count(*)::int FROM audit_log WHERE sequence IS NULL AND seal_failures > 0) AS audit_entries,
             (SELECT count(*)::int FROM webhook_deliveries
              WHERE workflow_started_at IS NULL AND status = 'pending' AND start_failures > 0) AS deliveries,
             (SELECT count(*)::int FROM withdrawal_schedules
              WHERE synced_version < version AND sync_failures > 0) AS schedules,
             (SELECT count(*)::int FROM webhook_circuits WHERE state = 'open') AS circuits_open,
             (SELECT count(*)::int FROM webhook_circuits WHERE state = 'half_open') AS circuits_half_open`,
  ])
  return {
    nodes,
    chains: chains.map((row) => ({
      network: row.network,
      scanned: Number(row.height),
      lag: Math.max(0, Number(row.head_height - row.height)),
      ok: row.health === 'ok',
    })),
    unsealedEvents: counts?.unsealed ?? 0,
    putOff: {
      events: counts?.events ?? 0,
      audit_entries: counts?.audit_entries ?? 0,
      deliveries: counts?.deliveries ?? 0,
      schedules: counts?.schedules ?? 0,
    },
    pendingDeliveries: counts?.pending ?? 0,
    circuits: { open: counts?.circuits_open ?? 0, half_open: counts?.circuits_half_open ?? 0 },
    openDeposits: counts?.open ?? 0,
    smallTransfers,
  }
}
