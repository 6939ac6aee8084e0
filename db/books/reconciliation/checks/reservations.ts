/** Checks that every reserved outpoint belongs to an open payout, and that every open attempt has its outpoints. */

import { OPEN_PAYOUTS } from '../../../../domain/payouts/stage-sets.js'
import { members } from '../../../members.js'
import type { BooksCheck } from './check.js'

interface Stray {
  readonly network: string
  readonly coin: string
  readonly txid: string
  readonly vout: number
  readonly expected: string | null
  readonly actual: string | null
}

/** Open reservations and attempts are few, so each side is one statement. */
export const reservations: BooksCheck = {
  name: 'reservations',
  async *examine(tx, { merchantId }, findings) {
    const orphans = await tx<Stray[]>`
      SELECT reservation.network, payout.coin, reservation.txid, reservation.vout, NULL AS expected,
             reservation.payout_id AS actual
      FROM utxo_reservations reservation JOIN payouts payout ON payout.id = reservation.payout_id
      WHERE reservation.released_at IS NULL AND payout.merchant_id = ${merchantId}
        AND payout.stage NOT IN ${members(tx, OPEN_PAYOUTS)}
      ORDER BY reservation.id`
    const lost = await tx<Stray[]>`
      SELECT DISTINCT attempt.network, payout.coin, input.txid, input.vout, payout.id AS expected, NULL AS actual
      FROM payouts payout JOIN attempts attempt ON attempt.payout_id = payout.id
      CROSS JOIN LATERAL jsonb_to_recordset(attempt.inputs) AS input (txid text, vout integer)
      -- An output that a block spends needs no reservation.
      JOIN utxos output ON output.network = attempt.network AND output.txid = input.txid AND output.vout = input.vout
        AND output.spent_at_block IS NULL
      WHERE payout.merchant_id = ${merchantId} AND payout.stage IN ${members(tx, OPEN_PAYOUTS)}
        AND attempt.state IN ('built', 'signed', 'broadcast')
        AND NOT EXISTS (
          SELECT FROM utxo_reservations reservation
          WHERE reservation.network = attempt.network AND reservation.txid = input.txid
            AND reservation.vout = input.vout AND reservation.released_at IS NULL)
      ORDER BY attempt.network, input.txid, input.vout`
    for (const { network, coin, txid, vout, expected, actual } of [...orphans, ...lost]) {
      const outpoint = `${txid}:${vout}`
      findings.differ({
        subject: { type: 'outpoint', id: outpoint },
        outpoint,
        network,
        coin,
        expected,
        actual,
        reason:
          expected === null
            ? 'The output is reserved for a payout that has ended'
            : 'An open attempt spends the output, which is not reserved for it',
      })
    }
    yield orphans.length + lost.length
  },
}
