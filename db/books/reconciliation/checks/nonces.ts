/**
 * Checks that every nonce in use belongs to an open payout, that every signed or used nonce has a signed attempt,
 * and that every signed attempt has its nonce.
 */

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
        ), kept AS (
          SELECT page.id AS address_id, page.network, page.address, nonce.nonce, nonce.state, nonce.payout_id,
                 nonce.state <> 'used' AND coalesce(payout.stage NOT IN ${members(tx, OPEN_PAYOUTS)}, true) AS ended
          FROM page JOIN nonces nonce ON nonce.network = page.network AND nonce.address = page.address
          LEFT JOIN payouts payout ON payout.id = nonce.payout_id
          WHERE nonce.state IN ('allocated', 'signed', 'used')
        ), orphan AS (
          SELECT network, address, nonce::text, 'an open payout' AS expected, payout_id AS actual,
                 'The nonce is kept for a payout that is not open' AS reason
          FROM kept WHERE ended
        ), unsigned AS (
          SELECT network, address, nonce::text, 'a signed attempt' AS expected, payout_id AS actual,
                 'No signed attempt of its payout has the nonce, which is ' || state AS reason
          FROM kept
          WHERE state <> 'allocated' AND NOT ended AND NOT EXISTS (
            SELECT FROM attempts attempt
            WHERE attempt.from_address_id = kept.address_id AND attempt.nonce = kept.nonce
              AND attempt.payout_id = kept.payout_id AND attempt.signed_transaction IS NOT NULL)
        ), lost AS (
          SELECT page.network, page.address, attempt.nonce::text, attempt.payout_id AS expected,
                 CASE WHEN nonce.payout_id = attempt.payout_id THEN nonce.state ELSE nonce.payout_id END AS actual,
                 'The nonce of a signed attempt is not kept for its payout' AS reason
          FROM page JOIN attempts attempt ON attempt.from_address_id = page.id
          LEFT JOIN nonces nonce ON nonce.network = page.network AND nonce.address = page.address
            AND nonce.nonce = attempt.nonce
          WHERE attempt.state IN ('signed', 'broadcast', 'mined', 'final') AND attempt.nonce IS NOT NULL
            AND (nonce.payout_id IS DISTINCT FROM attempt.payout_id
                 OR nonce.state NOT IN ('allocated', 'signed', 'used', 'foreign'))
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT count(*)::integer FROM kept) AS examined,
               (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(stray ORDER BY network, address, nonce), '[]')
                -- One finding a nonce.
                FROM (
                  SELECT DISTINCT ON (network, address, nonce) * FROM (
                    SELECT 1 AS place, * FROM lost UNION ALL SELECT 2, * FROM orphan UNION ALL SELECT 3, * FROM unsigned
                  ) each
                  ORDER BY network, address, nonce, place
                ) stray) AS found`,
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
