/** Payments as an export has them: the rows of `GET /payments`, by time of creation, with quote and tolerance as sent. */

import type { PaymentFlag, PaymentStatus } from '../../../domain/payments/payment-status.js'
import type { Payment } from '../../../wire/payment.js'
import type { Queryable } from '../../connect.js'
import { depositsOfPayments } from '../../payments/deposits-of-payments.js'
import { type PaymentRow, selectPayments } from '../../payments/payment-row.js'
import { paymentView } from '../../payments/payment-view.js'
import { narrowPayments } from '../../payments/read-payments.js'
import { type Dataset, nested, number, type Selection, text, windowOf } from '../dataset.js'

export const payments: Dataset<PaymentRow, Payment> = {
  sequenced: false,
  pageRows: 200,
  rows: (sql, selection) => sql`${selectPayments(sql)} ${narrow(sql, selection)} ORDER BY payment.id`,
  count: (sql, selection) =>
    sql`SELECT count(*)::bigint AS count FROM payments payment ${narrow(sql, selection)}`,
  async lines(rows, { tx }) {
    const ids = rows.map((row) => row.id)
    const found = await depositsOfPayments(tx, ids)
    return rows.map((row) => ({ view: paymentView(row, found.get(row.id) ?? []), sequence: null }))
  },
  columns: [
    text('payment_id', (payment) => payment.payment_id),
    text('status', (payment) => payment.status),
    text('flags', (payment) => payment.flags.join(' ')),
    text('network', (payment) => payment.network),
    text('coin', (payment) => payment.coin),
    number('amount', (payment) => payment.amount),
    number('amount_detected', (payment) => payment.amount_detected),
    number('amount_confirmed', (payment) => payment.amount_confirmed),
    number('amount_due', (payment) => payment.amount_due),
    text('user_reference', (payment) => payment.user_reference),
    text('order_id', (payment) => payment.order_id),
    text('address', (payment) => payment.address),
    text('quote_currency', (payment) => sentFields(payment).quote_currency),
    number('quote_amount', (payment) => sentFields(payment).quote_amount),
    number('quote_rate', (payment) => sentFields(payment).quote_rate),
    text('quote_source', (payment) => sentFields(payment).quote_source),
    text('quote_at', (payment) => sentFields(payment).quote_at),
    number('tolerance_percent', (payment) => sentFields(payment).tolerance_percent),
    number('tolerance_absolute', (payment) => sentFields(payment).tolerance_absolute),
    text('attempt_of', (payment) => payment.attempt_of),
    text('reissued_as', (payment) => payment.reissued_as),
    nested('metadata', (payment) => payment.metadata),
    text('created_at', (payment) => payment.created_at),
    text('expires_at', (payment) => payment.expires_at),
    text('paid_at', (payment) => payment.paid_at),
    text('confirmed_at', (payment) => payment.confirmed_at),
  ],
  json: (payment) => JSON.stringify({ ...payment, ...sentFields(payment) }),
}

/** Returns quote and tolerance as they were sent, by the names of their columns, which NDJSON has too. */
function sentFields({ quote, tolerance }: Payment) {
  return {
    quote_currency: quote?.currency ?? null,
    quote_amount: quote?.amount ?? null,
    quote_rate: quote?.rate ?? null,
    quote_source: quote?.source ?? null,
    quote_at: quote?.at ?? null,
    tolerance_percent: tolerance?.percent ?? null,
    tolerance_absolute: tolerance?.absolute ?? null,
  }
}

function narrow(sql: Queryable, { merchantId, filters }: Selection) {
  const { from, to } = windowOf(filters)
  const { address } = filters
  return sql`
    WHERE payment.merchant_id = ${merchantId}
    ${
      address === undefined
        ? sql``
        : sql`AND payment.address_id IN (SELECT id FROM addresses WHERE merchant_id = ${merchantId} AND address = ${address})`
    }
    ${narrowPayments(
      sql,
      {
        status: filters.status as PaymentStatus | undefined,
        orderId: filters.order_id,
        userReference: filters.user_reference,
        network: filters.network,
        coin: filters.coin,
        flag: filters.flag as PaymentFlag | undefined,
        from,
        to,
      },
      null,
    )}`
}
