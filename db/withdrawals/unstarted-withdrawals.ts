/** Withdrawals whose workflow was not started: the API was cut short, or Temporal was down. */

import { formatAmount } from '../../domain/money.js'
import { findCoin, findNetwork, type Networks } from '../../domain/network.js'
import type { WithdrawalInput } from '../../workflows/start.js'
import type { Queryable } from '../connect.js'

/** Taken at a time; the next sweep takes the next. */
const BATCH = 500

/**
 * The oldest of them, ready to be started.
 *
 * @param olderThanMs - Leaves alone what the API is starting right now.
 */
export async function unstartedWithdrawals(
  sql: Queryable,
  networks: Networks,
  olderThanMs: number,
): Promise<WithdrawalInput[]> {
  const rows = await sql<
    {
      id: string
      merchant_id: string
      network: string
      coin: string
      amount: bigint
      to_address: string
      intent_hash: string
      initiator: string
      expires_at: Date
    }[]
  >`
    SELECT id, merchant_id, network, coin, amount, to_address, intent_hash, initiator, expires_at
    FROM withdrawals
    WHERE workflow_started_at IS NULL AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
    ORDER BY created_at LIMIT ${BATCH}`
  return rows.map((row) => {
    const { decimals } = findCoin(findNetwork(networks, row.network), row.coin)
    return {
      id: row.id,
      merchantId: row.merchant_id,
      network: row.network,
      coin: row.coin,
      title: `${formatAmount(row.amount, decimals)} ${row.coin} to ${row.to_address}`,
      intentHash: row.intent_hash,
      initiator: row.initiator,
      expiresAt: row.expires_at.toISOString(),
    }
  })
}
