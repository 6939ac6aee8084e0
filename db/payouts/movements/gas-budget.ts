/** Limits what the gas wallet may give away within 24 hours. Gas counts when it is promised. */

import type { Network } from '../../../domain/chain/network.js'
import { UNSPENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { Transaction } from '../../connect.js'
import { members } from '../../members.js'

/**
 * Returns whether `cost` still fits, under a lock that lasts until the caller's transaction has created the
 * movement. Counts amounts and fees (the limit while the fee is not known) of every funding of the last 24
 * hours, except those that paid nothing.
 */
export async function takeGasBudget(
  tx: Transaction,
  merchantId: string,
  network: Network,
  cost: bigint,
  budget: bigint,
): Promise<boolean> {
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`gas-budget:${merchantId}:${network.name}`}, 0))`
  const [row] = await tx<{ spent: bigint }[]>`
    SELECT coalesce(sum(CASE WHEN stage = 'reverted' THEN fee ELSE amount + coalesce(fee, fee_limit) END), 0)::numeric AS spent
    FROM payouts
    WHERE merchant_id = ${merchantId} AND network = ${network.name} AND kind = 'gas_funding'
      AND stage NOT IN ${members(tx, UNSPENT_PAYOUTS)} AND created_at > clock_timestamp() - interval '24 hours'`
  return (row?.spent ?? 0n) + cost <= budget
}
