/** Checks that the sums of every payment equal its deposits. */

import { GONE_DEPOSITS } from '../../../../domain/deposits/deposit-sets.js'
import { members } from '../../../members.js'
import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

interface Wrong {
  readonly id: string
  readonly network: string
  readonly coin: string
  readonly detected: string
  readonly confirmed: string
  readonly all_detected: string
  readonly all_confirmed: string
}

/** The rules are those of `evaluatePayment`: a rejected deposit was decided about in its present epoch. */
export const payments: BooksCheck = {
  name: 'payments',
  examine: (tx, { merchantId, amount }, findings) =>
    eachPage(
      '',
      (after) => tx<Page<string, Wrong>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, network, coin, amount_detected, amount_confirmed
          FROM payments WHERE merchant_id = ${merchantId} AND id > ${after} ORDER BY id LIMIT ${PAGE}
        ), compared AS (
          SELECT page.*, paid.*
          FROM page CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount) FILTER (
                     WHERE status NOT IN ${members(tx, GONE_DEPOSITS)}
                       AND NOT (status = 'held' AND (decision ->> 'epoch')::integer IS NOT DISTINCT FROM epoch)), 0)
                     AS all_detected,
                   coalesce(sum(amount) FILTER (WHERE status = 'success'), 0) AS all_confirmed
            FROM deposits WHERE payment_id = page.id AND deposits.coin = page.coin
          ) paid
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'id', id, 'network', network, 'coin', coin, 'detected', amount_detected::text,
                         'confirmed', amount_confirmed::text, 'all_detected', all_detected::text,
                         'all_confirmed', all_confirmed::text) ORDER BY id), '[]')
                FROM compared
                WHERE (amount_detected, amount_confirmed) <> (all_detected, all_confirmed)) AS found`,
      (found) => {
        const { id, network, coin } = found
        const isDetected = found.detected !== found.all_detected
        findings.differ({
          subject: { type: 'payment', id },
          field: isDetected ? 'amount_detected' : 'amount_confirmed',
          network,
          coin,
          expected: amount(network, coin, isDetected ? found.all_detected : found.all_confirmed),
          actual: amount(network, coin, isDetected ? found.detected : found.confirmed),
          reason: 'A sum of the payment is not that of its deposits',
        })
      },
    ),
}
