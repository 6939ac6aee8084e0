/** Checks that every order of the merchant has its payments, with the same coin, sum, user and state. */

import type { PendingQuery, Row } from 'postgres'
import type { DifferenceAbout, Findings } from '../../../../domain/books/difference.js'
import type { PaymentStatus } from '../../../../domain/payments/payment-status.js'
import { iso, json, type Queryable, type Transaction } from '../../../connect.js'
import { type MappingVersion, readMapping } from '../../orders/lifecycle-mapping.js'
import { type BooksCheck, type CheckContext, eachPage, PAGE, type Page } from './check.js'

/** A line of an order beside what it is compared with. Amounts are base units. */
interface Line {
  readonly order_id: string
  readonly user_reference: string | null
  readonly network: string
  readonly coin: string
  readonly state: string
  readonly at: string
  readonly late_ms: number
  /** Sum of all lines of the payment on the first of them, and the amount of the line itself on any other. */
  readonly ordered: string
  readonly first: boolean
  /** `null` where there is no payment. */
  readonly payment: {
    readonly id: string
    readonly user_reference: string
    readonly network: string
    readonly coin: string
    /** `null` while a payment of any amount waits for money. */
    readonly amount: string | null
    /** Statuses of its payments, each once. */
    readonly statuses: readonly string[]
  } | null
  readonly payment_id: string
}

/** Payment without an order, where the mapping says that orders are complete. */
interface Orphan {
  readonly id: string
  readonly user_reference: string
  readonly network: string
  readonly coin: string
  readonly amount: string
  readonly status: string
  readonly late_ms: number
}

/**
 * A line that names a payment is compared with it; several orders of one payment must sum. A line without one is
 * compared with all payments that carry its order's id, and these must sum. Of such payments, one that ended without
 * money does not count beside others, because another attempt took its place. Once a line of an order names a payment,
 * its line without one was replaced, and does not count.
 * An order in a state that only ended payments fulfil was given up, and needs none.
 */
export const orders: BooksCheck = {
  name: 'orders',
  async *examine(tx, context, findings) {
    const mapping = await readMapping(tx, context.merchantId)
    if (!mapping) throw new Error('There is no lifecycle mapping')
    const take = (line: Line) => compare(line, mapping, context, findings)
    const gates = gatesOf(tx, mapping)
    const all = tx``
    yield* eachPage(['', ''], (after) => namedPage(tx, context.merchantId, gates, after, all), take)
    yield* eachPage('', (after) => unnamedPage(tx, context.merchantId, gates, after, all), take)
    if (mapping.orders !== 'complete') return
    yield* eachPage(
      '',
      (after) => orphanPage(tx, context.merchantId, after),
      (orphan) => reportOrphan(orphan, mapping, context, findings),
    )
  },
}

/**
 * Compares some orders of a merchant, with every line that has them.
 *
 * @param ids - Ids of orders. At most as many as a page has.
 */
export async function compareOrders(
  sql: Queryable,
  context: Pick<CheckContext, 'merchantId' | 'amount'>,
  ids: readonly string[],
  findings: Findings,
): Promise<void> {
  const { merchantId } = context
  const mapping = await readMapping(sql, merchantId)
  if (!mapping) throw new Error('There is no lifecycle mapping')
  const gates = gatesOf(sql, mapping)
  const only = sql`AND order_id = ANY (${[...ids]})`
  const take = (line: Line) => compare(line, mapping, context, findings)
  for await (const _ of eachPage(['', ''], (after) => namedPage(sql, merchantId, gates, after, only), take)) {
    // Every page is taken.
  }
  for await (const _ of eachPage('', (after) => unnamedPage(sql, merchantId, gates, after, only), take)) {
    // Every page is taken.
  }
}

/** Statuses that fulfil each gate, by its name. */
function gatesOf(sql: Queryable, { gates }: MappingVersion) {
  return json(sql, Object.fromEntries(gates.map((gate) => [gate.gate, gate.satisfied_by])))
}

type Gates = ReturnType<typeof json>
/** Condition on lines, which begins with AND. */
type Condition = PendingQuery<Row[]>

/**
 * What a payment is worth to its orders: the requested amount, and of an open payment what was credited or seen.
 * Null before an open payment has money.
 */
function worth(tx: Queryable) {
  return tx`coalesce(payment.amount, CASE WHEN payment.amount_confirmed > 0
    THEN payment.amount_confirmed ELSE nullif(payment.amount_detected, 0) END)`
}

/** Holds where no other line of the same order names a payment, for a line that names none. */
function unreplaced(tx: Queryable, merchantId: string) {
  return tx`NOT EXISTS (
    SELECT FROM merchant_orders other
    WHERE other.merchant_id = ${merchantId} AND other.order_id = line.order_id AND other.payment_id > '')`
}

/** Reads the lines that name a payment, by payment and order. Each payment counts as examined once. */
function namedPage(tx: Queryable, merchantId: string, gates: Gates, after: string[], only: Condition) {
  return tx<Page<string[], Line>[]>`
    WITH page AS MATERIALIZED (
      SELECT line.*, NOT EXISTS (
        SELECT FROM merchant_orders earlier
        WHERE earlier.merchant_id = ${merchantId} AND earlier.payment_id = line.payment_id AND earlier.payment_id <> ''
          AND earlier.order_id < line.order_id) AS first
      FROM (
        SELECT * FROM merchant_orders
        WHERE merchant_id = ${merchantId} AND payment_id <> ''
          AND (payment_id, order_id) > (${after[0] ?? ''}, ${after[1] ?? ''}) ${only}
        ORDER BY payment_id, order_id LIMIT ${PAGE}
      ) line
    ), line AS MATERIALIZED (
      SELECT page.*, payment.id, payment.user_reference AS payer, payment.network AS on_network, payment.coin AS in_coin,
             ${worth(tx)} AS worth, payment.status,
             CASE WHEN page.first AND payment.id IS NOT NULL THEN (
               SELECT sum(each.amount) FROM merchant_orders each
               WHERE each.merchant_id = ${merchantId} AND each.payment_id = page.payment_id AND each.payment_id <> '')
             ELSE page.amount END AS ordered
      FROM page LEFT JOIN payments payment ON payment.id = page.payment_id AND payment.merchant_id = ${merchantId}
    )
    SELECT (SELECT count(*)::integer FROM page) AS rows,
           (SELECT count(*)::integer FROM page WHERE first) AS examined,
           (SELECT jsonb_build_array(payment_id, order_id) FROM page
            ORDER BY payment_id DESC, order_id DESC LIMIT 1) AS last,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
                     'order_id', order_id, 'user_reference', user_reference, 'network', network, 'coin', coin,
                     'state', state, 'at', ${iso(tx, 'at')}, 'payment_id', payment_id,
                     'late_ms', extract(epoch FROM clock_timestamp() - at) * 1000,
                     'ordered', ordered::text, 'first', first,
                     'payment', CASE WHEN id IS NOT NULL THEN jsonb_build_object(
                       'id', id, 'user_reference', payer, 'network', on_network, 'coin', in_coin,
                       'amount', worth::text, 'statuses', jsonb_build_array(status)) END) ORDER BY payment_id, order_id), '[]')
            FROM line
            WHERE id IS NULL OR network <> on_network OR coin <> in_coin OR user_reference <> payer
               OR first AND ordered <> worth OR NOT coalesce(${gates}::jsonb -> state ? status, false)) AS found`
}

/** Reads the lines that name no payment, by order. */
function unnamedPage(tx: Queryable, merchantId: string, gates: Gates, after: string, only: Condition) {
  return tx<Page<string, Line>[]>`
    WITH page AS MATERIALIZED (
      SELECT * FROM merchant_orders
      WHERE merchant_id = ${merchantId} AND payment_id = '' AND order_id > ${after} ${only}
      ORDER BY order_id LIMIT ${PAGE}
    ), line AS (
      SELECT line.*, paid.*
      FROM page line LEFT JOIN LATERAL (
        SELECT min(id) AS id, min(payer) AS payer, max(payer) AS last_payer, min(on_network) AS on_network,
               min(in_coin) AS in_coin, max(in_coin) AS last_coin,
               CASE WHEN bool_and(worth IS NOT NULL) THEN sum(worth) END AS worth, array_agg(DISTINCT status) AS statuses
        FROM (
          SELECT *, bool_or(alive) OVER () AS any_alive, row_number() OVER (ORDER BY id DESC) AS place
          FROM (
            SELECT payment.id, payment.user_reference AS payer, payment.network AS on_network, payment.coin AS in_coin,
                   ${worth(tx)} AS worth, payment.status,
                   payment.status NOT IN ('expired', 'cancelled') OR payment.amount_detected > 0 AS alive
            FROM payments payment
            WHERE payment.merchant_id = ${merchantId} AND payment.order_id = line.order_id
              AND NOT EXISTS (
                SELECT FROM merchant_orders named
                WHERE named.merchant_id = ${merchantId} AND named.payment_id = payment.id AND named.payment_id <> '')
          ) payment
        ) payment
        WHERE alive OR NOT any_alive AND place = 1
        HAVING count(*) > 0
      ) paid ON true
      WHERE ${unreplaced(tx, merchantId)}
    )
    SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(order_id) FROM page) AS last,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
                     'order_id', order_id, 'user_reference', user_reference, 'network', network, 'coin', coin,
                     'state', state, 'at', ${iso(tx, 'at')}, 'payment_id', '',
                     'late_ms', extract(epoch FROM clock_timestamp() - at) * 1000,
                     'ordered', amount::text, 'first', true,
                     'payment', CASE WHEN id IS NOT NULL THEN jsonb_build_object(
                       'id', id, 'user_reference', CASE user_reference WHEN payer THEN last_payer ELSE payer END,
                       'network', on_network, 'coin', CASE coin WHEN in_coin THEN last_coin ELSE in_coin END,
                       'amount', worth::text, 'statuses', to_jsonb(statuses)) END) ORDER BY order_id), '[]')
            FROM line
            WHERE id IS NULL OR network <> on_network OR coin <> in_coin OR coin <> last_coin
               OR user_reference <> payer OR user_reference <> last_payer OR amount <> worth
               OR NOT coalesce(${gates}::jsonb -> state @> to_jsonb(statuses), false)) AS found`
}

/** Reads payments with money that no order names. */
function orphanPage(tx: Transaction, merchantId: string, after: string) {
  return tx<Page<string, Orphan>[]>`
    WITH page AS MATERIALIZED (
      SELECT * FROM payments WHERE merchant_id = ${merchantId} AND id > ${after} ORDER BY id LIMIT ${PAGE}
    ), orphan AS (
      SELECT payment.id, payment.user_reference, payment.network, payment.coin, ${worth(tx)}::text AS amount, payment.status,
             extract(epoch FROM clock_timestamp() - coalesce(payment.paid_at, payment.created_at)) * 1000 AS late_ms
      FROM page payment
      WHERE payment.amount_detected > 0 AND payment.orders_purged_at IS NULL
        AND NOT EXISTS (
          SELECT FROM merchant_orders named
          WHERE named.merchant_id = ${merchantId} AND named.payment_id = payment.id AND named.payment_id <> '')
        AND NOT EXISTS (
          SELECT FROM merchant_orders line
          WHERE line.merchant_id = ${merchantId} AND line.order_id = payment.order_id AND line.payment_id = ''
            AND ${unreplaced(tx, merchantId)})
    )
    SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
           (SELECT coalesce(jsonb_agg(orphan ORDER BY id), '[]') FROM orphan) AS found`
}

/** Reports each field of a line that is another one than that of its payments. */
function compare(
  line: Line,
  mapping: MappingVersion,
  { amount }: Pick<CheckContext, 'amount'>,
  findings: Findings,
): void {
  const { order_id, payment, network, coin } = line
  const common = { subject: { type: 'order', id: order_id }, order_id, network, coin }
  const about = (field: string, kind: DifferenceAbout['kind'] = 'order_mismatch'): DifferenceAbout => ({
    kind,
    cause: `order:${order_id}:${line.payment_id}:${field}`,
    payment_id: payment?.id ?? null,
    user_reference: payment?.user_reference ?? line.user_reference,
  })
  const gate = mapping.gates.find((each) => each.gate === line.state)
  if (!payment) {
    if (line.payment_id === '' && gate && isGivenUp(gate)) return
    const expected =
      line.payment_id === '' ? `a payment of ${amount(network, coin, line.ordered)}` : line.payment_id
    const missing = {
      ...common,
      field: 'payment',
      expected,
      actual: null,
      reason: 'There is no payment of this order',
    }
    // A payment that a line names exists before the line does. One that it does not name may come later.
    if (line.payment_id === '' && gate && line.late_ms < gate.stuck_ms) findings.expect(missing)
    else findings.differ(missing, about('payment'))
    return
  }
  const other = (field: string, expected: string, actual: string) => ({
    ...common,
    field,
    expected,
    actual,
    reason: `The ${field} of the order is not that of its payment`,
  })
  const differ = (field: string, expected: string, actual: string): void =>
    findings.differ(other(field, expected, actual), about(field))
  if (network !== payment.network) differ('network', network, payment.network)
  if (coin !== payment.coin) differ('coin', coin, payment.coin)
  else if (
    line.first &&
    network === payment.network &&
    payment.amount !== null &&
    line.ordered !== payment.amount
  ) {
    const ordered = amount(network, coin, line.ordered)
    const sum = other('amount', ordered, amount(network, coin, payment.amount))
    if (gate && line.late_ms < gate.stuck_ms) findings.expect(sum)
    else findings.differ(sum, about('amount'))
  }
  if (line.user_reference !== null && line.user_reference !== payment.user_reference) {
    differ('user_reference', line.user_reference, payment.user_reference)
  }
  if (!gate) {
    differ('state', line.state, 'no gate of the lifecycle mapping')
    return
  }
  const behind = payment.statuses.find((status) => !(gate.satisfied_by as readonly string[]).includes(status))
  if (behind === undefined) return
  const state = {
    ...common,
    field: 'state',
    expected: `${line.state} (${gate.satisfied_by.join(', ')})`,
    actual: behind,
    reason: 'The status of the payment does not fulfil the state of the order',
  }
  if (line.late_ms < gate.stuck_ms) findings.expect(state)
  // One that is seen and not credited has one cause, which `lifecycle` finds as well.
  else if (behind === 'paid') findings.differ(state, paidNotConfirmed(payment))
  else findings.differ(state, about('state', behind === 'pending' ? 'stuck' : 'order_mismatch'))
}

/** Statuses of payments that ended without the money that was asked for. */
const ENDED: readonly PaymentStatus[] = ['expired', 'cancelled']

/** Returns whether a gate is that of orders that were given up. Such an order needs no payment. */
function isGivenUp({ satisfied_by }: MappingVersion['gates'][number]): boolean {
  return satisfied_by.length > 0 && satisfied_by.every((status) => ENDED.includes(status))
}

/** Returns the exception of a payment that was seen and is not credited. */
export function paidNotConfirmed(payment: {
  readonly id: string
  readonly user_reference: string
}): DifferenceAbout {
  return {
    kind: 'paid_not_confirmed',
    cause: `paid_not_confirmed:${payment.id}`,
    payment_id: payment.id,
    user_reference: payment.user_reference,
  }
}

function reportOrphan(
  { id, user_reference, network, coin, amount: units, status, late_ms }: Orphan,
  { gates }: MappingVersion,
  { amount }: CheckContext,
  findings: Findings,
): void {
  const orphan = {
    subject: { type: 'payment', id },
    field: 'order',
    network,
    coin,
    expected: null,
    actual: amount(network, coin, units),
    reason: 'The payment has no order, and the lifecycle mapping says that orders are complete',
  }
  const gate = gates.find((each) => (each.satisfied_by as readonly string[]).includes(status))
  if (late_ms < (gate?.stuck_ms ?? 0)) {
    findings.expect(orphan)
    return
  }
  findings.differ(orphan, {
    kind: 'order_mismatch',
    cause: `payment_without_order:${id}`,
    payment_id: id,
    user_reference,
  })
}
