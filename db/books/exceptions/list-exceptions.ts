/** Lists a merchant's exceptions, newest first, and finds one. */

import {
  type ExceptionKind,
  type ExceptionStatus,
  STANDING_EXCEPTIONS,
} from '../../../domain/books/exception.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { ExceptionWithHistory } from '../../../wire/exception.js'
import type { PaymentHistoryEntry } from '../../../wire/payment.js'
import type { Queryable } from '../../connect.js'
import { type DeliveryRow, listDeliveries } from '../../events/webhooks/list-deliveries.js'
import { idFrom, idTo } from '../../id-range.js'
import { members } from '../../members.js'
import { pageOf } from '../../page-of.js'
import type { Slice } from '../../slice.js'
import { type ExceptionRow, selectExceptions } from './exception-row.js'

export interface ExceptionFilter {
  readonly kind?: ExceptionKind | undefined
  readonly status?: ExceptionStatus | undefined
  /** Person who takes care of it. */
  readonly owner?: string | undefined
  /** Whether it stands and is due. */
  readonly overdue?: boolean | undefined
  readonly paymentId?: string | undefined
  readonly userReference?: string | undefined
  /** Earliest time. */
  readonly from?: Date | undefined
  /** Time that is not included any more. */
  readonly to?: Date | undefined
}

/** Deliveries that the page of an exception shows. */
const DELIVERIES_SHOWN = 20

/** Each status alone, so that its name stands in the SQL: standing exceptions have partial indexes. */
const ONLY: Readonly<Record<ExceptionStatus, Readonly<Record<string, boolean>>>> = {
  open: { open: true },
  in_progress: { in_progress: true },
  resolved: { resolved: true },
}

/** Lists exceptions by id, which begins with the time. */
export async function listExceptions(
  sql: Queryable,
  merchantId: string,
  filter: ExceptionFilter,
  slice: Slice,
): Promise<ExceptionRow[]> {
  const where = sql`each.merchant_id = ${merchantId} ${narrowExceptions(sql, filter)}`
  const page = pageOf(sql, { table: sql`exceptions`, name: 'each', where }, slice)
  return await sql<ExceptionRow[]>`${selectExceptions(sql, page)} ORDER BY exception.id DESC`
}

/** Returns the conditions of a filter on a table named each, to which the caller adds that of the merchant. */
export function narrowExceptions(sql: Queryable, filter: ExceptionFilter) {
  const { kind, status, owner, overdue, paymentId, userReference, from, to } = filter
  const standing = sql`each.status IN ${members(sql, STANDING_EXCEPTIONS)}`
  return sql`
    ${kind === undefined ? sql`` : sql`AND each.kind = ${kind}`}
    ${status === undefined ? sql`` : sql`AND each.status IN ${members(sql, ONLY[status])}`}
    ${owner === undefined ? sql`` : sql`AND each.owner = ${owner}`}
    ${overdue === true ? sql`AND ${standing} AND each.due_at < clock_timestamp()` : sql``}
    ${overdue === false ? sql`AND NOT (${standing} AND each.due_at < clock_timestamp())` : sql``}
    ${paymentId === undefined ? sql`` : sql`AND each.payment_id = ${paymentId}`}
    ${userReference === undefined ? sql`` : sql`AND each.user_reference = ${userReference}`}
    ${from === undefined ? sql`` : sql`AND each.id >= ${idFrom('exc', from)} AND each.created_at >= ${from}`}
    ${to === undefined ? sql`` : sql`AND each.id < ${idTo('exc', to)} AND each.created_at < ${to}`}`
}

/** Returns a merchant's exception. @throws KeyturnError `NOT_FOUND`, also for another merchant's exception. */
export async function findException(sql: Queryable, merchantId: string, id: string): Promise<ExceptionRow> {
  const [row] = await sql<ExceptionRow[]>`
    ${selectExceptions(sql)} WHERE exception.id = ${id} AND exception.merchant_id = ${merchantId}`
  if (row) return row
  throw exceptionNotFound(id)
}

/** Creates the error `NOT_FOUND` for an exception. */
export function exceptionNotFound(id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is no such exception; check the id', { details: { id } })
}

/** Returns the states of the payment of an exception, and the newest webhooks about it. */
export async function readSurroundings(
  sql: Queryable,
  row: ExceptionRow,
): Promise<{ payment_history: ExceptionWithHistory['payment_history']; deliveries: readonly DeliveryRow[] }> {
  const { merchant_id: merchantId, payment_id: paymentId } = row
  const newest: Slice = { before: null, offset: 0, take: DELIVERIES_SHOWN }
  if (paymentId !== null) {
    const [payment] = await sql<{ history: readonly PaymentHistoryEntry[] }[]>`
      SELECT history FROM payments WHERE id = ${paymentId} AND merchant_id = ${merchantId}`
    const deliveries = await listDeliveries(sql, merchantId, { payment_id: paymentId }, newest)
    return { payment_history: payment?.history ?? [], deliveries }
  }
  if (row.subject_type === 'webhook_delivery') {
    const deliveries = await listDeliveries(sql, merchantId, { id: row.subject_id }, newest)
    return { payment_history: [], deliveries }
  }
  return { payment_history: [], deliveries: await deliveriesAbout(sql, merchantId, row.subject_id, newest) }
}

/** Returns the deliveries of the newest events about an object. */
async function deliveriesAbout(
  sql: Queryable,
  merchantId: string,
  subject: string,
  newest: Slice,
): Promise<DeliveryRow[]> {
  const events = await sql<{ id: string }[]>`
    SELECT id FROM events WHERE merchant_id = ${merchantId} AND subject = ${subject}
    ORDER BY position DESC LIMIT ${EVENTS_SHOWN}`
  const found = await Promise.all(
    events.map((event) => listDeliveries(sql, merchantId, { event_id: event.id }, newest)),
  )
  return found.flat().slice(0, newest.take)
}

/** Events about an object whose deliveries are shown. */
const EVENTS_SHOWN = 5
