/** Declares what a comparison of books and chain is asked for, and what its parts share. */

import type { BlockPoint } from '../../../auditor/utxo/open-chain.js'
import type { ChainAuditRow } from '../../../db/auditor/chain-audit-row.js'
import type { Sql } from '../../../db/connect.js'
import type { Findings } from '../../../domain/books/difference.js'
import type { Network } from '../../../domain/chain/network.js'

export interface ChainAuditRequest {
  readonly merchantId: string
  readonly network: Network
  /** Height at which books and chain are compared. `null`: the newest block that has its confirmations. */
  readonly atBlock: number | null
  /** Lowest height at which they are compared where `atBlock` names none: that of a proof. */
  readonly atLeast?: number | null
  /** The run for which it is made. The same key goes on where an earlier activity stopped. */
  readonly key: string
}

export interface ChainAuditOptions {
  readonly signal?: AbortSignal
  /** Whether a failure that passes, such as a node that is behind, ends the comparison too. Default: it is thrown. */
  readonly last?: boolean
  /** Says whether the comparison shall pause where it has stored its place. Default: never. */
  readonly isSliceOver?: () => boolean
  /** Receives the number of what was compared so far, or of blocks that were read. */
  readonly onProgress?: (done: number) => void
}

/** What a comparison of one family gets. */
export interface ChainAuditTask extends ChainAuditRequest, ChainAuditOptions {
  readonly sql: Sql
  readonly block: BlockPoint
  readonly findings: Findings
  /** Progress of an earlier activity. `null` at the beginning. */
  readonly before: ChainAuditRow | null
}
