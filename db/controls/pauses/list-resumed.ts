/** Lists payouts that waited for the end of a pause, and may go on. */

import { SETTLEMENT_PAUSED } from '../../../domain/controls/settlement-pause.js'
import { OPEN_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'

/** Payouts of one call. The next call takes the next ones. */
const MOST = 500

/** Returns their ids. A payout is listed until a step has found another reason to wait, or none. */
export async function listResumed(sql: Queryable): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    SELECT id FROM payouts payout
    WHERE waiting ->> 'code' = ${SETTLEMENT_PAUSED} AND stage IN ${members(sql, OPEN_PAYOUTS)}
      AND NOT EXISTS (SELECT FROM standing_pause(payout.merchant_id, payout.network, payout.coin))
    ORDER BY id LIMIT ${MOST}`
  return rows.map((row) => row.id)
}
