/** Adds ended withdrawals, each once, to the totals that `/metrics` shows. */

import { groupBy } from '../../domain/group-by.js'
import { FINAL_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import type { WithdrawalStage } from '../../domain/payouts/withdrawal-stage.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { members } from '../members.js'
import type { PayoutKind } from '../payouts/payout-row.js'

/** Upper bounds in seconds, from a minute to a week. Longer durations are only in the count. */
export const DURATION_BUCKETS = [60, 300, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800] as const

/** Withdrawals of one sweep. The next sweep takes the next ones. */
const BATCH = 1_000

/** Merchant and coin of withdrawals that have ended, for the count of consecutive failures. */
export interface Ended {
  readonly merchantId: string
  readonly network: string
  readonly coin: string
}

interface EndedRow {
  readonly merchant_id: string
  readonly kind: PayoutKind
  readonly network: string
  readonly coin: string
  readonly stage: WithdrawalStage
  readonly seconds: number
  readonly fee: bigint | null
  readonly fee_estimate: bigint
}

/** Adds a batch to the totals. @returns The merchants and coins of the added withdrawals, each once. */
export async function measureWithdrawals(sql: Sql): Promise<Ended[]> {
  return inTransaction(sql, async (tx) => {
    const rows = await tx<EndedRow[]>`
      UPDATE payouts SET measured_at = clock_timestamp()
      WHERE id IN (
        SELECT id FROM payouts
        WHERE measured_at IS NULL AND stage IN ${members(tx, FINAL_PAYOUTS)}
        ORDER BY created_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
      RETURNING merchant_id, kind, network, coin, stage, fee, fee_estimate,
                extract(epoch FROM coalesce(confirmed_at, updated_at) - created_at)::double precision AS seconds`
    const groups = groupBy(rows, (row) => [row.kind, row.network, row.coin, row.stage].join('\n'))
    // The groups are sorted, so that two sweeps never wait for each other.
    for (const key of [...groups.keys()].sort()) await add(tx, groups.get(key) ?? [])
    const ended = new Map<string, Ended>()
    for (const { merchant_id: merchantId, network, coin } of rows) {
      ended.set([merchantId, network, coin].join('\n'), { merchantId, network, coin })
    }
    return [...ended.values()]
  })
}

async function add(tx: Transaction, rows: readonly EndedRow[]): Promise<void> {
  const [first] = rows
  if (!first) return
  const paid = rows.filter((row) => row.fee !== null)
  const sum = (values: readonly bigint[]) => values.reduce((total, each) => total + each, 0n).toString()
  const buckets = DURATION_BUCKETS.map((bound) => rows.filter((row) => row.seconds <= bound).length)
  await tx`
    INSERT INTO withdrawal_totals AS total (kind, network, coin, outcome, count, seconds, buckets, fee_paid, fee_estimated)
    VALUES (${first.kind}, ${first.network}, ${first.coin}, ${first.stage}, ${rows.length},
            ${rows.reduce((total, row) => total + row.seconds, 0)}, ${buckets}::bigint[],
            ${sum(paid.map((row) => row.fee ?? 0n))}::numeric, ${sum(paid.map((row) => row.fee_estimate))}::numeric)
    ON CONFLICT (kind, network, coin, outcome) DO UPDATE SET
      count = total.count + excluded.count, seconds = total.seconds + excluded.seconds,
      buckets = (SELECT array_agg(was + more ORDER BY place)
                 FROM unnest(total.buckets, excluded.buckets) WITH ORDINALITY AS both_of (was, more, place)),
      fee_paid = total.fee_paid + excluded.fee_paid, fee_estimated = total.fee_estimated + excluded.fee_estimated`
}
