/** Chooses the parts of an approved batch that are started next. */

import type { Networks } from '../../../domain/chain/network.js'
import { UNSENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'
import type { PayoutRow } from '../payout-row.js'
import { toWithdrawalStart, type WithdrawalStart } from '../read-withdrawal-input.js'

/**
 * Returns the first parts, so that at most `window` are being built, signed and sent at a time: a wallet has
 * no more nonces to allocate at once, and other payouts need the workers and the signer too.
 */
export async function nextParts(
  sql: Queryable,
  networks: Networks,
  batchId: string,
  window: number,
): Promise<WithdrawalStart[]> {
  const rows = await sql<PayoutRow[]>`
    SELECT part.* FROM payouts part
    WHERE part.batch_id = ${batchId} AND part.stage = 'approved' AND part.workflow_started_at IS NULL
    ORDER BY part.id
    LIMIT greatest(0, ${window}::int - (
      SELECT count(*)::int FROM payouts busy
      WHERE busy.batch_id = ${batchId} AND busy.workflow_started_at IS NOT NULL
        AND busy.stage IN ${members(sql, UNSENT_PAYOUTS)}))`
  return rows.map((row) => toWithdrawalStart(networks, row))
}
