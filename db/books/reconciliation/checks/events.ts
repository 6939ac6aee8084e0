/** Checks that the newest event of every object shows its status. */

import type { PendingQuery, Row } from 'postgres'
import type { EventType } from '../../../../domain/events/event.js'
import { MOVEMENT_KINDS } from '../../../../domain/payouts/treasury.js'
import { WITHDRAWAL_STATUS } from '../../../../domain/payouts/withdrawal-stage.js'
import { json, type Transaction } from '../../../connect.js'
import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

type Fragment = PendingQuery<Row[]>

interface Unreported {
  readonly id: string
  readonly network: string
  readonly coin: string
  readonly status: string
  readonly reported: string | null
}

/** Objects of a table whose changes have events. */
interface Reported {
  readonly type: EventType
  readonly subject: string
  readonly rows: (tx: Transaction) => Fragment
  /** Status of a row, and of the data of its event. */
  readonly status: (tx: Transaction) => Fragment
}

const status = (tx: Transaction) => tx`status`
const stage = (tx: Transaction) => tx`${json(tx, WITHDRAWAL_STATUS)}::jsonb ->> stage`

const REPORTED: readonly Reported[] = [
  { type: 'deposit.status_changed', subject: 'deposit', rows: (tx) => tx`deposits WHERE true`, status },
  { type: 'payment.status_changed', subject: 'payment', rows: (tx) => tx`payments WHERE true`, status },
  {
    type: 'withdrawal.status_changed',
    subject: 'withdrawal',
    rows: (tx) => tx`payouts WHERE kind = 'withdrawal'`,
    status: stage,
  },
  {
    type: 'movement.status_changed',
    subject: 'movement',
    rows: (tx) => tx`payouts WHERE kind = ANY (${[...MOVEMENT_KINDS]})`,
    status: stage,
  },
  { type: 'batch.status_changed', subject: 'batch', rows: (tx) => tx`batches WHERE true`, status },
  // A transfer never changes. Its event has no status.
  {
    type: 'transfer.created',
    subject: 'transfer',
    rows: (tx) => tx`transfers WHERE true`,
    status: (tx) => tx`'created'`,
  },
]

export const events: BooksCheck = {
  name: 'events',
  async *examine(tx, { merchantId }, findings) {
    for (const { type, subject, rows, status: of } of REPORTED) {
      yield* eachPage(
        '',
        (after) => tx<Page<string, Unreported>[]>`
          WITH page AS MATERIALIZED (
            SELECT id, network, coin, ${of(tx)} AS status FROM ${rows(tx)}
              AND merchant_id = ${merchantId} AND id > ${after}
            ORDER BY id LIMIT ${PAGE}
          ), unreported AS (
            SELECT page.id, page.network, page.coin, page.status, newest.status AS reported
            FROM page LEFT JOIN LATERAL (
              SELECT coalesce(data ->> 'status', 'created') AS status FROM events
              WHERE subject = page.id AND type = ${type} AND merchant_id = ${merchantId}
              ORDER BY position DESC LIMIT 1
            ) newest ON true
            WHERE newest.status IS DISTINCT FROM page.status
          )
          SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
                 (SELECT coalesce(jsonb_agg(unreported ORDER BY id), '[]') FROM unreported) AS found`,
        ({ id, network, coin, status: actual, reported }) =>
          findings.differ({
            subject: { type: subject, id },
            field: 'status',
            network,
            coin,
            expected: actual,
            actual: reported,
            reason: 'The newest event of the object does not show its status',
          }),
      )
    }
  },
}
