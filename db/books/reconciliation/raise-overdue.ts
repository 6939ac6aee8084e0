/** Raises what is overdue by the lifecycle mapping, between the runs of the reconciliation. */

import { type Difference, type DifferenceAbout, Findings } from '../../../domain/books/difference.js'
import { DEFAULT_MAPPING } from '../../../domain/books/lifecycle.js'
import type { Networks } from '../../../domain/chain/network.js'
import { formatDigits } from '../../../domain/money.js'
import { inTransaction, json, type Queryable, type Sql } from '../../connect.js'
import { appendEvents } from '../../events/log/append-events.js'
import { readDecimals } from '../../networks/read-decimals.js'
import { raiseExceptions } from '../exceptions/raise-exception.js'
import { creditIsLate } from './checks/lifecycle.js'
import { compareOrders } from './checks/orders.js'
import { toException } from './raise-differences.js'

/** Payments or orders of one statement. */
const AT_ONCE = 200

/**
 * Raises an exception for each payment that was seen and is not credited in time, and for each order whose state its
 * payment does not fulfil in time. A run raises the same causes, so each is raised once. It reads the payments that
 * are pending or paid, which are few, and compares their orders as a run does.
 *
 * @returns How many were raised.
 */
export async function raiseOverdue(sql: Sql, networks: Networks): Promise<number> {
  return (await raiseLateCredits(sql)) + (await raiseStuckOrders(sql, networks))
}

interface Late {
  readonly id: string
  readonly merchant_id: string
  readonly user_reference: string
  readonly network: string
  readonly coin: string
}

async function raiseLateCredits(sql: Sql): Promise<number> {
  let raised = 0
  for (let after = ''; ; ) {
    const late = await sql<Late[]>`
      SELECT payment.id, payment.merchant_id, payment.user_reference, payment.network, payment.coin
      FROM payments payment CROSS JOIN LATERAL (${gatesOf(sql, 'payment.merchant_id')}) mapping
      WHERE payment.status = 'paid' AND payment.id > ${after}
        -- The first gate that only a credited payment fulfils, as the check finds it.
        AND coalesce(payment.paid_at, payment.created_at) <= clock_timestamp() - interval '1 millisecond' * coalesce((
          SELECT (gate ->> 'stuck_ms')::float8
          FROM jsonb_array_elements(mapping.gates) WITH ORDINALITY AS each (gate, place)
          WHERE gate -> 'satisfied_by' ? 'confirmed' AND NOT gate -> 'satisfied_by' ? 'paid' ORDER BY place LIMIT 1
        ), ${DEFAULT_MAPPING.gates[0]?.stuck_ms ?? 0}::float8)
        AND NOT EXISTS (
          SELECT FROM exceptions known
          WHERE known.merchant_id = payment.merchant_id AND known.cause = 'paid_not_confirmed:' || payment.id
            AND known.cause_gone_at IS NULL)
      ORDER BY payment.id LIMIT ${AT_ONCE}`
    raised += await raise(
      sql,
      'lifecycle',
      late.map(({ merchant_id: merchantId, ...payment }) => ({ merchantId, ...creditIsLate(payment) })),
    )
    const last = late.at(-1)
    if (!last || late.length < AT_ONCE) return raised
    after = last.id
  }
}

/** Orders whose gate is past its time while a payment of theirs is pending or paid. */
async function raiseStuckOrders(sql: Sql, networks: Networks): Promise<number> {
  const decimalsOf = await readDecimals(sql, networks)
  const amount = (network: string, coin: string, units: string) =>
    formatDigits(units, decimalsOf(network, coin))
  let raised = 0
  for (let after = ['', '']; ; ) {
    const overdue = await sql<{ merchant_id: string; order_id: string }[]>`
      SELECT DISTINCT line.merchant_id, line.order_id
      FROM (
        SELECT id, merchant_id, order_id, status FROM payments WHERE status = 'pending'
        UNION ALL SELECT id, merchant_id, order_id, status FROM payments WHERE status = 'paid'
      ) payment
      CROSS JOIN LATERAL (
        SELECT * FROM merchant_orders
        WHERE merchant_id = payment.merchant_id AND payment_id = payment.id AND payment_id <> ''
        UNION ALL
        SELECT * FROM merchant_orders
        WHERE merchant_id = payment.merchant_id AND order_id = payment.order_id AND payment_id = ''
      ) line
      CROSS JOIN LATERAL (${gatesOf(sql, 'payment.merchant_id')}) mapping
      CROSS JOIN LATERAL jsonb_array_elements(mapping.gates) AS gate
      WHERE gate ->> 'gate' = line.state AND NOT gate -> 'satisfied_by' ? payment.status
        AND line.at <= clock_timestamp() - interval '1 millisecond' * (gate ->> 'stuck_ms')::float8
        AND (line.merchant_id, line.order_id) > (${after[0] ?? ''}, ${after[1] ?? ''})
        AND NOT EXISTS (
          SELECT FROM exceptions known
          WHERE known.merchant_id = line.merchant_id AND known.cause_gone_at IS NULL
            AND known.cause IN (
              'order:' || line.order_id || ':' || line.payment_id || ':state', 'paid_not_confirmed:' || payment.id))
      ORDER BY line.merchant_id, line.order_id LIMIT ${AT_ONCE}`
    for (const merchantId of new Set(overdue.map((each) => each.merchant_id))) {
      const ids = overdue.filter((each) => each.merchant_id === merchantId).map((each) => each.order_id)
      const findings = new Findings()
      await compareOrders(sql, { merchantId, amount }, ids, findings)
      const found = findings.differences.flatMap((difference, at) => {
        const about = findings.about[at]
        return about ? [{ merchantId, difference, about }] : []
      })
      // Sums, users and coins that differ are left to the runs.
      raised += await raise(
        sql,
        'orders',
        found.filter(({ difference }) => difference.field === 'state'),
      )
    }
    const last = overdue.at(-1)
    if (!last || overdue.length < AT_ONCE) return raised
    after = [last.merchant_id, last.order_id]
  }
}

/** Selects the gates that hold for a merchant, as a row of `gates`. */
function gatesOf(sql: Queryable, merchant: 'payment.merchant_id') {
  return sql`
    SELECT coalesce((
      SELECT gates FROM lifecycle_mappings WHERE merchant_id = ${sql(merchant)} ORDER BY version DESC LIMIT 1
    ), ${json(sql, DEFAULT_MAPPING.gates)}::jsonb) AS gates`
}

interface Found {
  readonly merchantId: string
  readonly difference: Difference
  readonly about: DifferenceAbout
}

async function raise(sql: Sql, check: string, found: readonly Found[]): Promise<number> {
  if (found.length === 0) return 0
  return inTransaction(sql, async (tx) => {
    const events = await raiseExceptions(
      tx,
      found.map(({ merchantId, difference, about }) =>
        toException(merchantId, { check }, { data: difference, about }),
      ),
    )
    await appendEvents(tx, events)
    return events.length
  })
}
