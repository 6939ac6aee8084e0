/** Looks for what a person should know of: large, unusual, stuck withdrawals and failures in a row. Each is told once. */

import type { Networks } from '../../../domain/chain/network.js'
import type { RiskFactor } from '../../../domain/controls/risk.js'
import { formatAmount } from '../../../domain/money.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import type { PayoutRow, Waiting } from '../../payouts/payout-row.js'
import type { Ended } from '../measure-withdrawals.js'
import { clearAlerts, raiseAlert } from './raise-alert.js'

export interface AlertSettings {
  /** By `network.coin`, in base units: amounts from there up are large. */
  readonly large: ReadonlyMap<string, bigint>
  /** So many failures in a row of one merchant and coin. */
  readonly failures: number
  /** A withdrawal is stuck after so many times the time that its priority promises, counted from its approval. */
  readonly stuckFactor: number
  /** A risk factor from this score up, 0 to 100, is unusual. */
  readonly unusualScore: number
}

/** Taken at a time; the next sweep takes the next. */
const BATCH = 500
/** Failures in a row are looked for among so many of the newest. */
const NEWEST = 200
/** The factors that compare with what is usual; a destination or a country is not a pattern. */
const PATTERNS: readonly RiskFactor['name'][] = ['amount', 'frequency', 'behaviour']
/** Ends that somebody decided, or that never had to do with paying. */
const DECIDED = ['REJECTED_BY_SCREENING', 'REFUNDED']

/** Looks at what is new, at what is late, and at what has ended. @returns How many alerts it raised. */
export async function watchWithdrawals(
  sql: Sql,
  networks: Networks,
  settings: AlertSettings,
  ended: readonly Ended[],
): Promise<number> {
  const raised = (await watchNew(sql, networks, settings)) + (await watchLate(sql, settings))
  let failures = 0
  const errors: unknown[] = []
  for (const each of ended) {
    try {
      failures += await watchFailures(sql, settings, each)
    } catch (error) {
      // One merchant's failures keep no other's from being seen.
      errors.push(error)
    }
  }
  await clearDone(sql)
  if (errors.length > 0) throw errors[0]
  return raised + failures
}

async function watchNew(sql: Sql, networks: Networks, settings: AlertSettings): Promise<number> {
  return inTransaction(sql, async (tx) => {
    const rows = await tx<PayoutRow[]>`
      UPDATE payouts SET watched_at = clock_timestamp()
      WHERE id IN (SELECT id FROM payouts WHERE watched_at IS NULL ORDER BY created_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
      RETURNING *`
    let raised = 0
    for (const row of rows) {
      if (row.kind !== 'withdrawal' && row.kind !== 'batch_part') continue
      raised += (await raiseLarge(tx, networks, settings, row)) + (await raiseUnusual(tx, settings, row))
    }
    return raised
  })
}

async function raiseLarge(
  tx: Transaction,
  networks: Networks,
  { large }: AlertSettings,
  row: PayoutRow,
): Promise<number> {
  const threshold = large.get(`${row.network}.${row.coin}`)
  if (threshold === undefined || row.amount < threshold) return 0
  const coin = networks.get(row.network)?.coins.find((each) => each.name === row.coin)
  // Its coin was taken out of the configuration: the next row matters all the same.
  if (!coin) return 0
  const { decimals } = coin
  const raised = await raiseAlert(tx, {
    merchantId: row.merchant_id,
    kind: 'withdrawal.large',
    severity: 'warning',
    subject: row.id,
    facts: {
      message: 'A large withdrawal was asked for',
      network: row.network,
      coin: row.coin,
      amount: formatAmount(row.amount, decimals),
      threshold: formatAmount(threshold, decimals),
      to_address: row.to_address,
      initiator: row.initiator,
    },
  })
  return raised ? 1 : 0
}

async function raiseUnusual(
  tx: Transaction,
  { unusualScore }: AlertSettings,
  row: PayoutRow,
): Promise<number> {
  const factors = (row.risk?.factors ?? []).filter(
    (factor) => PATTERNS.includes(factor.name) && factor.score >= unusualScore,
  )
  if (factors.length === 0) return 0
  const raised = await raiseAlert(tx, {
    merchantId: row.merchant_id,
    kind: 'withdrawal.unusual',
    severity: 'warning',
    subject: row.id,
    facts: {
      message: 'A withdrawal departs from what is usual',
      factors: factors.map(({ name, score, reason }) => ({ name, score, reason })),
    },
  })
  return raised ? 1 : 0
}

interface LateRow {
  readonly id: string
  readonly merchant_id: string
  readonly stage: string
  readonly waiting: Waiting | null
  readonly since: Date
}

async function watchLate(sql: Sql, { stuckFactor }: AlertSettings): Promise<number> {
  return inTransaction(sql, async (tx) => {
    const rows = await tx<LateRow[]>`
      SELECT withdrawal.id, withdrawal.merchant_id, withdrawal.stage, withdrawal.waiting, started.since
      FROM payouts withdrawal
      CROSS JOIN LATERAL (
        SELECT coalesce(max((entry ->> 'at')::timestamptz) FILTER (WHERE entry ->> 'stage' = 'approved'),
                        withdrawal.created_at) AS since
        FROM jsonb_array_elements(withdrawal.history) AS entry
      ) started
      WHERE withdrawal.stage IN ('approved', 'building', 'pending_signature', 'signed', 'broadcasting', 'confirming')
        AND clock_timestamp() > started.since
            + ${stuckFactor} * (withdrawal.estimated_confirmation_at - withdrawal.created_at)
        AND NOT EXISTS (SELECT FROM alerts WHERE kind = 'withdrawal.stuck' AND subject = withdrawal.id AND cleared_at IS NULL)
      ORDER BY withdrawal.created_at LIMIT ${BATCH}`
    let raised = 0
    for (const row of rows) {
      const facts = { stage: row.stage, waiting: row.waiting, since: row.since.toISOString() }
      const isNew = await raiseAlert(tx, {
        merchantId: row.merchant_id,
        kind: 'withdrawal.stuck',
        severity: 'critical',
        subject: row.id,
        facts: {
          message: 'A withdrawal takes much longer than it should; `waiting` says what for',
          ...facts,
        },
      })
      if (isNew) raised++
    }
    return raised
  })
}

async function watchFailures(sql: Sql, { failures }: AlertSettings, ended: Ended): Promise<number> {
  return inTransaction(sql, async (tx) => {
    const rows = await tx<{ id: string; stage: string; failure_code: string | null }[]>`
      SELECT id, stage, failure_code FROM (
        SELECT id, stage, failure_code, updated_at FROM payouts
        WHERE merchant_id = ${ended.merchantId} AND network = ${ended.network} AND coin = ${ended.coin}
        ORDER BY created_at DESC LIMIT ${NEWEST}
      ) newest
      WHERE stage = 'confirmed' OR stage IN ('failed', 'reverted') AND failure_code <> ALL (${DECIDED})
      ORDER BY updated_at DESC LIMIT ${failures}`
    const subject = `${ended.network}:${ended.coin}`
    if (rows[0]?.stage === 'confirmed') {
      await clearAlerts(tx, ended.merchantId, 'withdrawal.consecutive_failures', [subject])
    }
    if (rows.length < failures || rows.some((row) => row.stage === 'confirmed')) return 0
    const raised = await raiseAlert(tx, {
      merchantId: ended.merchantId,
      kind: 'withdrawal.consecutive_failures',
      severity: 'critical',
      subject,
      facts: {
        message: `${rows.length} withdrawals in a row failed`,
        withdrawals: rows.map(({ id, failure_code }) => ({ id, failure: failure_code })),
      },
    })
    return raised ? 1 : 0
  })
}

/** What was said of one withdrawal is over when that is, and a step that failed when it does not any more. */
async function clearDone(sql: Sql): Promise<void> {
  await sql`
    UPDATE alerts SET cleared_at = clock_timestamp()
    FROM payouts withdrawal
    WHERE alerts.cleared_at IS NULL AND withdrawal.id = alerts.subject
      AND (alerts.kind IN ('withdrawal.large', 'withdrawal.unusual', 'withdrawal.stuck', 'withdrawal.step_failed')
           AND withdrawal.stage IN ('confirmed', 'rejected', 'expired', 'cancelled', 'failed', 'reverted')
           -- A reviewer has decided, or it has ended.
           OR alerts.kind = 'withdrawal.sanctioned' AND withdrawal.stage NOT IN ('pending_review', 'broadcasting', 'confirming')
           -- What failed goes on, or waits for something else.
           OR alerts.kind = 'withdrawal.step_failed' AND withdrawal.waiting ->> 'code' IS DISTINCT FROM 'STEP_FAILED')`
}
