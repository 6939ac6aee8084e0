/** Reads the history that the risk assessment of a new withdrawal needs. */

import type { Coin } from '../../../domain/chain/network.js'
import type { RiskFacts } from '../../../domain/controls/risk.js'
import { sanctionKey } from '../../../domain/controls/sanction-key.js'
import { STOPPED_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { WithdrawalStage } from '../../../domain/payouts/withdrawal-stage.js'
import type { Queryable } from '../../connect.js'

export interface RiskQuestion {
  readonly merchantId: string
  readonly network: string
  readonly coin: Coin
  readonly amount: bigint
  readonly toAddress: string
  /** User whose history is read. `null` reads that of the merchant's own account. */
  readonly userReference: string | null
  readonly whitelisted: boolean
  /** Country of the request. `undefined` without a GeoIP database, `null` if the database does not know it. */
  readonly country: string | null | undefined
  readonly at: Date
}

/** Days and number of past withdrawals that are read, so that the cost of a request does not grow with its history. */
const DAYS = 90
const MOST_ROWS = 500
const DAY_MS = 86_400_000
const MONTH_DAYS = 30

interface EarlierRow {
  readonly amount: bigint
  readonly created_at: Date
  readonly stage: WithdrawalStage
  readonly origin_country: string | null
}

/** A destination without earlier withdrawals beside it. */
interface NoEarlierRow {
  readonly created_at: null
}

interface DestinationRow {
  readonly sanctioned: boolean
  readonly paid: bigint
}

/** Reads the facts in one query. Its first row has those of the destination, with or without earlier withdrawals. */
export async function readRiskFacts(sql: Queryable, question: RiskQuestion): Promise<RiskFacts> {
  const { merchantId, network, coin, userReference, toAddress, at } = question
  const found = await sql<(DestinationRow & (EarlierRow | NoEarlierRow))[]>`
    SELECT destination.sanctioned, destination.paid, earlier.*
    FROM (
      SELECT EXISTS (SELECT 1 FROM sanctioned_addresses WHERE address = ${sanctionKey(toAddress)}) AS sanctioned,
             (SELECT count(*) FROM (
               SELECT 1 FROM payouts
               WHERE merchant_id = ${merchantId} AND network = ${network} AND to_address = ${toAddress}
                 AND stage = 'confirmed' LIMIT ${MOST_ROWS}) paid) AS paid
    ) destination
    LEFT JOIN (
      SELECT amount, created_at, stage, origin_country FROM payouts
      WHERE merchant_id = ${merchantId} AND network = ${network} AND coin = ${coin.name} AND kind = 'withdrawal'
        AND ${userReference === null ? sql`user_reference IS NULL` : sql`user_reference = ${userReference}`}
        AND created_at > ${new Date(at.getTime() - DAYS * DAY_MS)}
      ORDER BY created_at DESC LIMIT ${MOST_ROWS}
    ) earlier ON true`
  const [destination] = found
  const rows = found.flatMap((row) => (row.created_at === null ? [] : [row]))
  const since = (days: number) =>
    rows.filter((row) => row.created_at.getTime() > at.getTime() - days * DAY_MS)
  const paid = rows.filter((row) => row.stage === 'confirmed')
  return {
    amount: question.amount,
    coin,
    earlierAmounts: paid.map((row) => row.amount),
    destination: {
      sanctioned: destination?.sanctioned ?? false,
      whitelisted: question.whitelisted,
      paidBefore: Number(destination?.paid ?? 0n),
    },
    frequency: { lastDay: since(1).length, usualPerDay: since(MONTH_DAYS).length / MONTH_DAYS },
    geography: {
      country: question.country,
      usual: [...new Set(paid.flatMap((row) => row.origin_country ?? []))].sort(),
    },
    behaviour: {
      unpaid: since(MONTH_DAYS).filter((row) => STOPPED_PAYOUTS[row.stage]).length,
      hour: at.getUTCHours(),
      usualHours: paid.map((row) => row.created_at.getUTCHours()),
    },
  }
}
