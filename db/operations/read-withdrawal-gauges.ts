/** Reads the figures of withdrawals for an operator's graphs. */

import { OPEN_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import type { WithdrawalStage } from '../../domain/payouts/withdrawal-stage.js'
import type { Sql } from '../connect.js'
import { members } from '../members.js'
import type { PayoutKind } from '../payouts/payout-row.js'

export interface WithdrawalTotal {
  readonly kind: PayoutKind
  readonly network: string
  readonly coin: string
  readonly outcome: WithdrawalStage
  readonly count: bigint
  readonly seconds: number
  /** Cumulative counts by `DURATION_BUCKETS`. */
  readonly buckets: readonly bigint[]
  /** Fees in base units of the network's own coin. */
  readonly fee_paid: bigint
  readonly fee_estimated: bigint
}

export interface WithdrawalQueue {
  readonly kind: PayoutKind
  readonly network: string
  readonly coin: string
  readonly stage: WithdrawalStage
  readonly length: number
  /** Age of the oldest withdrawal, in seconds. */
  readonly oldest: number
}

export interface WithdrawalGauges {
  readonly totals: readonly WithdrawalTotal[]
  readonly queues: readonly WithdrawalQueue[]
  /** Number of open alerts, by kind. */
  readonly alerts: ReadonlyMap<string, number>
  readonly signers: {
    readonly online: number
    readonly offline: number
    /** Longest silence of a signer, in seconds. 0 without signers. */
    readonly silence: number
  }
}

/** Reads the totals and the withdrawals under way. */
export async function readWithdrawalGauges(sql: Sql): Promise<WithdrawalGauges> {
  const [totals, queues, alerts, [signers]] = await Promise.all([
    sql<WithdrawalTotal[]>`SELECT * FROM withdrawal_totals ORDER BY kind, network, coin, outcome`,
    sql<WithdrawalQueue[]>`
      SELECT kind, network, coin, stage, count(*)::int AS length,
             greatest(0, extract(epoch FROM clock_timestamp() - min(created_at)))::double precision AS oldest
      FROM payouts
      WHERE stage IN ${members(sql, OPEN_PAYOUTS)}
      GROUP BY kind, network, coin, stage ORDER BY kind, network, coin, stage`,
    sql<{ kind: string; count: number }[]>`
      SELECT kind, count(*)::int AS count FROM alerts WHERE cleared_at IS NULL GROUP BY kind`,
    sql<{ online: number; offline: number; silence: number }[]>`
      SELECT count(*) FILTER (WHERE online)::int AS online, count(*) FILTER (WHERE NOT online)::int AS offline,
             coalesce(greatest(0, extract(epoch FROM clock_timestamp() - min(last_seen_at))), 0)::double precision AS silence
      FROM signers WHERE revoked_at IS NULL`,
  ])
  return {
    totals,
    queues,
    alerts: new Map(alerts.map((row) => [row.kind, row.count])),
    signers: signers ?? { online: 0, offline: 0, silence: 0 },
  }
}
