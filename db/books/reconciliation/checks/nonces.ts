/** Checks that every nonce in use belongs to an open payout, and that every signed attempt has its nonce. */

import { OPEN_PAYOUTS } from '../../../../domain/payouts/stage-sets.js'
import { members } from '../../../members.js'
import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

interface Stray {
  readonly network: string
  readonly address: string
  readonly nonce: string
  readonly expected: string
  readonly actual: string | null
  readonly reason: string
}

export const nonces: BooksCheck = {
  name: 'nonces',
  examine: (tx, { merchantId }, findings) =>
    eachPage(
      '',
      (after) => tx<Page<string, Stray>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, network, address FROM addresses
          WHERE merchant_id = ${merchantId} AND id > ${after} ORDER BY id LIMIT ${PAGE}
        ), orphan AS (
          SELECT page.network, page.address, nonce.nonce::text, 'an open payout' AS expected, nonce.payout_id AS actual,
                 'The nonce is kept for a payout that is not open' AS reason
          FROM page JOIN nonces nonce ON nonce.network = page.network AND nonce.address = page.address
          LEFT JOIN payouts payout ON payout.id = nonce.payout_id
          WHERE nonce.state IN ('allocated', 'signed') AND coalesce(payout.stage NOT IN ${members(tx, OPEN_PAYOUTS)}, true)
        ), lost AS (
          SELECT page.network, page.address, attempt.nonce::text, attempt.payout_id AS expected, nonce.payout_id AS actual,
                 'The nonce of a signed attempt is not kept for its payout' AS reason
          FROM page JOIN attempts attempt ON attempt.from_address_id = page.id
          LEFT JOIN nonces nonce ON nonce.network = page.network AND nonce.address = page.address
            AND nonce.nonce = attempt.nonce
          WHERE attempt.state IN ('signed', 'broadcast', 'mined', 'final') AND attempt.nonce IS NOT NULL
            AND (nonce.payout_id IS DISTINCT FROM attempt.payout_id
                 OR nonce.state NOT IN ('allocated', 'signed', 'used', 'foreign'))
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(stray), '[]')
                FROM (SELECT * FROM orphan UNION ALL SELECT * FROM lost) stray) AS found`,
      ({ network, address, nonce, expected, actual, reason }) =>
        findings.differ({
          subject: { type: 'nonce', id: `${address}:${nonce}` },
          address,
          network,
          coin: null,
          expected,
          actual,
          reason,
        }),
    ),
}
