/** Raises an alert, once each, for large, unusual and stuck withdrawals and for consecutive failures. */

import type { Networks } from '../../../domain/chain/network.js'
import type { RiskFactor } from '../../../domain/controls/risk.js'
import { formatAmount } from '../../../domain/money.js'
import {
  APPROVED_PAYOUTS,
  BROKEN_PAYOUTS,
  FINAL_PAYOUTS,
  LISTED_PAYOUTS,
} from '../../../domain/payouts/stage-sets.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { members } from '../../members.js'
import type { PayoutRow, Waiting } from '../../payouts/payout-row.js'
import type { Ended } from '../measure-withdrawals.js'
import { clearAlerts, raiseAlert } from './raise-alert.js'

export interface AlertSettings {
  /** Amounts, in base units by `network.coin`, from which a withdrawal is large. */
  readonly large: ReadonlyMap<string, bigint>
  /** Number of consecutive failures of one merchant and coin that raises an alert. */
  readonly failures: number
  /** Multiple of the time that its priority promises, after its approval, from which a withdrawal is stuck. */
  readonly stuckFactor: number
  /** Score of a risk factor, from 0 to 100, from which a withdrawal is unusual. */
  readonly unusualScore: number
}

/** Withdrawals of one sweep. The next sweep takes the next ones. */
const BATCH = 500
/** Number of newest withdrawals among which consecutive failures are counted. */
const NEWEST = 200
/** Risk factors that compare with past behaviour. A destination or a country is not a pattern. */
const PATTERNS: readonly RiskFactor['name'][] = ['amount', 'frequency', 'behaviour']
/** Failure codes that a person or a service decided, and that say nothing about the ability to pay. */
const DECIDED = ['REJECTED_BY_SCREENING', 'REFUNDED']

/** Checks new, late and ended withdrawals. @returns How many alerts it raised. */
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
      // An error with one merchant's withdrawals does not stop the check of the others.
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
  // The configuration no longer has this coin, so its withdrawals are skipped.
  if (!coin) return 0
  const { decimals } = coin
  const raised = await raiseAlert(tx, {
    merchantId: row.merchant_id,
    kind: 'withdrawal.large',
    severity: 'warning',
    subject: row.id,
    facts: {
      message: 'A large withdrawal was requested',
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
      message: 'A withdrawal departs from the usual pattern',
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
      WHERE withdrawal.stage IN ${members(tx, APPROVED_PAYOUTS)}
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
          message: 'A withdrawal takes much longer than expected. Its field `waiting` gives the reason',
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
      WHERE stage = 'confirmed' OR stage IN ${members(tx, BROKEN_PAYOUTS)} AND failure_code <> ALL (${DECIDED})
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
        message: `${rows.length} consecutive withdrawals failed`,
        withdrawals: rows.map(({ id, failure_code }) => ({ id, failure: failure_code })),
      },
    })
    return raised ? 1 : 0
  })
}

/** Clears a withdrawal's alerts when it ends, and the alert about a failed step when the step no longer fails. */
async function clearDone(sql: Sql): Promise<void> {
  await sql`
    UPDATE alerts SET cleared_at = clock_timestamp()
    FROM payouts withdrawal
    WHERE alerts.cleared_at IS NULL AND withdrawal.id = alerts.subject
      AND (alerts.kind IN ('withdrawal.large', 'withdrawal.unusual', 'withdrawal.stuck', 'withdrawal.step_failed')
           AND withdrawal.stage IN ${members(sql, FINAL_PAYOUTS)}
           -- A reviewer has decided, or it has ended.
           OR alerts.kind = 'withdrawal.sanctioned' AND withdrawal.stage NOT IN ${members(sql, LISTED_PAYOUTS)}
           -- The failed step has succeeded, or the withdrawal waits for another reason.
           OR alerts.kind = 'withdrawal.step_failed' AND withdrawal.waiting ->> 'code' IS DISTINCT FROM 'STEP_FAILED')`
}
