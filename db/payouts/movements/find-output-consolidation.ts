/** Finds the open consolidation of outputs of a merchant on a network. */

import { FINAL_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'

/** Returns its id, or `null`; index `withdrawals_one_gathering`. */
export async function findOutputConsolidation(
  sql: Queryable,
  merchantId: string,
  network: string,
): Promise<string | null> {
  const [row] = await sql<{ id: string }[]>`
    SELECT id FROM payouts
    WHERE merchant_id = ${merchantId} AND network = ${network} AND kind = 'consolidation' AND from_address_id IS NULL
      AND stage NOT IN ${members(sql, FINAL_PAYOUTS)}`
  return row?.id ?? null
}
