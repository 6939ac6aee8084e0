/** Checks that no payment that was seen waits for its credit longer than the lifecycle mapping allows. */

import type { Difference, DifferenceAbout } from '../../../../domain/books/difference.js'
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
    if (!mapping) throw new Error('There is no lifecycle mapping')
    const dueMs = creditDueMs(mapping)
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
      ({ late_ms, ...payment }) => {
        const { difference, about } = creditIsLate(payment)
        if (late_ms < dueMs) findings.expect({ ...difference, reason: 'The payment is not credited yet' })
        else findings.differ(difference, about)
      },
    )
  },
}

/** Returns the difference of a payment that was seen and is not credited in time, and its exception. */
export function creditIsLate({ id, user_reference, network, coin }: Omit<Waiting, 'late_ms'>): {
  readonly difference: Difference
  readonly about: DifferenceAbout
} {
  return {
    difference: {
      subject: { type: 'payment', id },
      field: 'status',
      network,
      coin,
      expected: 'confirmed',
      actual: 'paid',
      reason: 'The payment was seen, and was not credited in time',
    },
    about: paidNotConfirmed({ id, user_reference }),
  }
}
