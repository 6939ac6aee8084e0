/** Audits the books of a stage against its chain, as a run of the reconciliation does. */

import { randomUUID } from 'node:crypto'
import { auditChain, type ChainAudit } from '../../activities/books/audit/audit-chain.js'

import type { Difference } from '../../domain/books/difference.js'
import { findNetwork } from '../../domain/chain/network.js'
import type { Stage } from '../stage/start-stage.js'

export interface AuditChoice {
  readonly atBlock?: number
  /** Nodes instead of those of the stage. */
  readonly rpcUrls?: readonly string[]
  /** First block of the network file instead of that of the stage. */
  readonly startHeight?: null
  /** As of `auditChain`: the comparison pauses where it has stored its place. */
  readonly isSliceOver?: () => boolean
  /** Key of a comparison that goes on. Default: a new one. */
  readonly key?: string
}

/** Audits at the newest scanned block, or at a height. */
export async function auditStage(
  stage: Stage,
  network: string,
  choice: AuditChoice = {},
): Promise<ChainAudit> {
  const { sql } = stage.api.database
  const [cursor] = await sql<
    { height: bigint }[]
  >`SELECT height FROM chain_cursors WHERE network = ${network}`
  const known = findNetwork(stage.networks, network)
  const request = {
    merchantId: stage.api.merchantId,
    network: {
      ...known,
      ...(choice.rpcUrls ? { rpcUrls: choice.rpcUrls } : {}),
      ...(choice.startHeight === null ? { startHeight: null } : {}),
    },
    atBlock: choice.atBlock ?? Number(cursor?.height),
    key: choice.key ?? randomUUID(),
  }
  return auditChain(sql, request, choice.isSliceOver ? { isSliceOver: choice.isSliceOver } : {})
}

/** Returns the differences of an audit. @throws Error when it failed. */
export function differencesOf(audit: ChainAudit): readonly Difference[] {
  if (audit.kind === 'failed') throw new Error(`${audit.code}: ${audit.message}`)
  if (audit.kind === 'paused') throw new Error('The comparison is paused')
  return audit.findings.differences
}
