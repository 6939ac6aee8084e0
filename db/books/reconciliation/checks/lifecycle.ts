/** Checks that no payment that was seen waits for its credit longer than the lifecycle mapping allows. */

import { creditDueMs } from '../../../../domain/books/lifecycle.js'
import { readMapping } from '../../orders/lifecycle-mapping.js'
import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'
import { paidNotConfirmed } from './orders.js'

interface Waiting {
  readonly id: string
  readonly user_reference: string
  readonly network: string
  readonly coin: string
  readonly late_ms: number
}

export const lifecycle: BooksCheck = {
  name: 'lifecycle',
  async *examine(tx, { merchantId }, findings) {
    const mapping = await readMapping(tx, merchantId)
    const dueMs = mapping && creditDueMs(mapping)
    if (dueMs === null) return
    yield* eachPage(
      '',
      (after) => tx<Page<string, Waiting>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, user_reference, network, coin,
                 extract(epoch FROM clock_timestamp() - coalesce(paid_at, created_at)) * 1000 AS late_ms
          FROM payments WHERE merchant_id = ${merchantId} AND status = 'paid' AND id > ${after}
          ORDER BY id LIMIT ${PAGE}
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(page ORDER BY id), '[]') FROM page) AS found`,
      ({ id, user_reference, network, coin, late_ms }) => {
        const payment = {
          subject: { type: 'payment', id },
          field: 'status',
          network,
          coin,
          expected: 'confirmed',
          actual: 'paid',
        }
        if (late_ms < dueMs) findings.expect({ ...payment, reason: 'The payment is not credited yet' })
        else {
          findings.differ(
            { ...payment, reason: 'The payment was seen, and was not credited in time' },
            paidNotConfirmed({ id, user_reference }),
          )
        }
      },
    )
  },
}
