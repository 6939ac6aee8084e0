/** Describes the state of each dependency of this installation, for `GET /readyz`. */

import type { ChainCursorRow } from '../db/networks/list-cursors.js'
import type { SignerCount } from '../db/operations/count-signers.js'
import type { NodeRow } from '../db/operations/list-nodes.js'
import type { Network } from '../domain/chain/network.js'
import type { Dependency } from '../wire/readiness.js'

/** Silence after which a watcher counts as stopped. It writes every few seconds, with or without a new block. */
const SILENT_SECONDS = 60

/** Describes a network, which works while its watcher makes progress. It always names nodes that must not be used. */
export function describeNetwork(
  network: Network,
  cursor: ChainCursorRow | undefined,
  nodes: readonly NodeRow[],
  now: Date,
  wait: string | undefined,
): Dependency {
  const refused = nodes
    .filter((node) => node.network === network.name && node.reason !== null)
    .map((node) => `endpoint ${node.endpoint} (${node.state}): ${node.reason}`)
  const trouble = troubleOf(cursor, now, wait)
  // The watcher's own reason would name the same nodes again.
  const reasons = refused.length > 0 ? refused : trouble === null ? [] : [trouble]
  return {
    name: network.name,
    ok: trouble === null,
    needed: false,
    reason: reasons.length === 0 ? null : reasons.join('; '),
    lag_seconds: cursor
      ? Math.round(Math.max(0, Number(cursor.head_height - cursor.height)) * network.blockTimeSeconds)
      : null,
  }
}

/** Describes all signers together. */
export function describeSigners({ enrolled, offline, silent_seconds }: SignerCount): Dependency {
  return {
    name: 'signer',
    ok: offline === 0,
    needed: false,
    reason: offline === 0 ? null : `${offline} of ${enrolled} signers are offline`,
    lag_seconds: silent_seconds,
  }
}

function troubleOf(cursor: ChainCursorRow | undefined, now: Date, wait?: string): string | null {
  if (!cursor) return wait ?? 'No block has been scanned yet'
  const silent = Math.round((now.getTime() - cursor.updated_at.getTime()) / 1000)
  if (silent > SILENT_SECONDS) return `The chain watcher has made no progress for ${silent} s`
  return cursor.health === 'ok' ? null : (cursor.health_note ?? 'degraded')
}
