/** Checks that every reserved outpoint belongs to an open payout that spends it, and that every open attempt has its outpoints. */

import { OPEN_PAYOUTS } from '../../../../domain/payouts/stage-sets.js'
import { members } from '../../../members.js'
import type { BooksCheck } from './check.js'

interface Outpoint {
  readonly network: string
  readonly coin: string | null
  readonly txid: string
  readonly vout: number
  readonly payout_id: string
}

/** A reserved outpoint, and what its payout has to do with it. */
interface Reserved extends Outpoint {
  readonly open: boolean
  readonly spent: boolean
}

/** An outpoint that an open attempt spends. */
interface Spent extends Outpoint {
  readonly reserved: boolean
}

/** Open reservations and attempts are few, so each side is one statement. */
export const reservations: BooksCheck = {
  name: 'reservations',
  async *examine(tx, { merchantId }, findings) {
    const differ = (
      { network, coin, txid, vout }: Outpoint,
      expected: string | null,
      actual: string | null,
      reason: string,
    ): void => {
      const outpoint = `${txid}:${vout}`
      const subject = { type: 'outpoint', id: outpoint }
      findings.differ({ subject, outpoint, network, coin, expected, actual, reason })
    }
    const reserved = await tx<Reserved[]>`
      SELECT reservation.network, payout.coin, reservation.txid, reservation.vout, reservation.payout_id,
             coalesce(payout.stage IN ${members(tx, OPEN_PAYOUTS)}, false) AS open,
             EXISTS (
               SELECT FROM attempts attempt
               CROSS JOIN LATERAL jsonb_to_recordset(attempt.inputs) AS input (txid text, vout integer)
               WHERE attempt.payout_id = reservation.payout_id AND input.txid = reservation.txid
                 AND input.vout = reservation.vout) AS spent
      FROM utxo_reservations reservation LEFT JOIN payouts payout ON payout.id = reservation.payout_id
      -- Whose the output is where the payout is gone.
      LEFT JOIN utxos output ON output.network = reservation.network AND output.txid = reservation.txid
        AND output.vout = reservation.vout
      WHERE reservation.released_at IS NULL AND coalesce(payout.merchant_id, output.merchant_id) = ${merchantId}
      ORDER BY reservation.id`
    for (const each of reserved) {
      if (!each.open)
        differ(each, null, each.payout_id, 'The output is reserved for a payout that is not open')
      else if (!each.spent)
        differ(
          each,
          null,
          each.payout_id,
          'The output is reserved for a payout of which no attempt spends it',
        )
    }
    yield reserved.length
    const spent = await tx<Spent[]>`
      SELECT DISTINCT attempt.network, payout.coin, input.txid, input.vout, payout.id AS payout_id, EXISTS (
               -- After a reorg another open payout may have reserved it. One of the two is mined.
               SELECT FROM utxo_reservations reservation
               WHERE reservation.network = attempt.network AND reservation.txid = input.txid
                 AND reservation.vout = input.vout AND reservation.released_at IS NULL) AS reserved
      FROM payouts payout JOIN attempts attempt ON attempt.payout_id = payout.id
      CROSS JOIN LATERAL jsonb_to_recordset(attempt.inputs) AS input (txid text, vout integer)
      -- An output that a block spends needs no reservation.
      JOIN utxos output ON output.network = attempt.network AND output.txid = input.txid AND output.vout = input.vout
        AND output.spent_at_block IS NULL
      WHERE payout.merchant_id = ${merchantId} AND payout.stage IN ${members(tx, OPEN_PAYOUTS)}
        AND attempt.state IN ('built', 'signed', 'broadcast')
      ORDER BY attempt.network, input.txid, input.vout`
    for (const each of spent)
      if (!each.reserved)
        differ(each, each.payout_id, null, 'An open attempt spends the output, which is not reserved for it')
    yield spent.length
  },
}
