/** Lists whitelist entries in the form of the API. */

import { WHITELIST_STATUS, type WhitelistStatus } from '../../../domain/controls/whitelist-status.js'
import type { WhitelistEntry } from '../../../wire/whitelist.js'
import type { Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'
import { approvalList } from '../approvals/approval-list.js'
import type { ControlChangeRow } from '../changes/control-change-row.js'
import type { DecidedRow } from '../policy/policy-change-view.js'

/** An entry with its change and decisions. */
export type WhitelistRow = DecidedRow<Extract<ControlChangeRow, { kind: 'whitelist' }>> & {
  readonly network: string
  readonly address: string
  readonly label: string
  readonly daily_limit: string | null
  readonly monthly_limit: string | null
}

export interface WhitelistFilter {
  readonly id?: string | undefined
  readonly network?: string | undefined
  readonly address?: string | undefined
  readonly status?: WhitelistStatus | undefined
}

/** Returns a merchant's entries, newest first. */
export async function listWhitelistEntries(
  sql: Queryable,
  merchantId: string,
  filter: WhitelistFilter,
  slice: Slice,
): Promise<WhitelistRow[]> {
  const states = Object.entries(WHITELIST_STATUS).flatMap(([state, status]) =>
    status === filter.status ? [state] : [],
  )
  return await sql<WhitelistRow[]>`
    SELECT change.*, entry.network, entry.address, entry.label, entry.daily_limit, entry.monthly_limit,
           coalesce(decided.list, '[]') AS approval_list
    FROM control_changes change JOIN whitelist_entries entry ON entry.id = change.id ${approvalList(sql, 'change')}
    WHERE change.merchant_id = ${merchantId} AND change.kind = 'whitelist'
      ${filter.id === undefined ? sql`` : sql`AND change.id = ${filter.id}`}
      ${filter.network === undefined ? sql`` : sql`AND entry.network = ${filter.network}`}
      ${filter.address === undefined ? sql`` : sql`AND entry.address = ${filter.address}`}
      ${filter.status === undefined ? sql`` : sql`AND change.state = ANY (${states})`}
      ${slice.before === null ? sql`` : sql`AND change.id < ${slice.before}`}
    ORDER BY change.id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}

/** Returns the view of a row. */
export function toWhitelistView(row: WhitelistRow): WhitelistEntry {
  const earliest = new Date(row.created_at.getTime() + Number(row.cool_down_ms))
  return {
    id: row.id,
    address: row.address,
    network: row.network,
    label: row.label,
    daily_limit: row.daily_limit,
    monthly_limit: row.monthly_limit,
    status: WHITELIST_STATUS[row.state],
    effective_at: (row.effective_at ?? earliest).toISOString(),
    intent_hash: row.intent_hash,
    required_approvals: 2,
    approvals: row.approval_list,
    initiator: row.initiator,
    history: row.history,
    expires_at: row.expires_at.toISOString(),
    created_at: row.created_at.toISOString(),
  }
}
