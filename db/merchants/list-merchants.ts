/** Lists merchants with their rails and the decisions about them. */

import type { Queryable } from '../connect.js'
import type { Slice } from '../slice.js'
import { OPERATOR } from './operator.js'

export interface MerchantRow {
  readonly id: string
  readonly name: string
  readonly status: 'intake' | 'active' | 'suspended'
  readonly created_at: Date
  readonly rails: readonly { readonly network: string; readonly coin: string }[]
}

export interface DecisionRow {
  readonly id: string
  readonly kind: 'suspended' | 'resumed' | 'rail_enabled' | 'rail_disabled'
  readonly network: string | null
  readonly coin: string | null
  readonly reason: string
  readonly evidence: string | Record<string, unknown> | null
  readonly actor: string
  readonly decided_at: Date
}

/** Most decisions that are shown, newest first. The audit log has all. */
const MOST_DECISIONS = 100

/** Returns merchants, newest first. @param id - Only this one. */
export async function listMerchants(sql: Queryable, slice: Slice, id?: string): Promise<MerchantRow[]> {
  return sql<MerchantRow[]>`
    SELECT merchant.id, merchant.name, merchant.status, merchant.created_at, coalesce(enabled.list, '[]') AS rails
    FROM merchants merchant
    LEFT JOIN LATERAL (
      SELECT jsonb_agg(jsonb_build_object('network', network, 'coin', coin) ORDER BY network, coin) AS list
      FROM merchant_rails WHERE merchant_id = merchant.id
    ) enabled ON true
    WHERE merchant.id <> ${OPERATOR}
      ${id === undefined ? sql`` : sql`AND merchant.id = ${id}`}
      ${slice.before === null ? sql`` : sql`AND merchant.id < ${slice.before}`}
    ORDER BY merchant.id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}

/** Returns the newest decisions about a merchant. */
export async function listDecisions(sql: Queryable, merchantId: string): Promise<DecisionRow[]> {
  return sql<DecisionRow[]>`
    SELECT id, kind, network, coin, reason, evidence, actor, decided_at FROM merchant_decisions
    WHERE merchant_id = ${merchantId} ORDER BY id DESC LIMIT ${MOST_DECISIONS}`
}
