/**
 * Parts of batches and movements, as the API shows them to a person who speeds one up, cancels or
 * investigates it.
 */

import type { Networks } from '../../domain/chain/network.js'
import { isMovement } from '../../domain/payouts/treasury.js'
import type { Payout } from '../../wire/payout.js'
import type { Queryable } from '../connect.js'
import { isOwnPayout, type OwnPayout, payoutNotFound } from './withdrawals/lock-own-withdrawal.js'
import {
  progressOf,
  toWithdrawalView,
  type WithdrawalViewRow,
  withdrawalViewQuery,
} from './withdrawals/read-withdrawal-view.js'

/** Reads a part or a movement of the merchant. @throws KeyturnError `NOT_FOUND`. */
export async function readPayoutView(sql: Queryable, networks: Networks, payout: OwnPayout): Promise<Payout> {
  const [row] = await sql<WithdrawalViewRow[]>`${withdrawalViewQuery(sql)} WHERE ${isOwnPayout(sql, payout)}`
  if (!row) throw payoutNotFound(payout)
  return toPayoutView(networks, row)
}

/**
 * Lists the parts of a merchant's batch in the order of their items. `null` when the merchant has no such
 * batch.
 */
export async function listParts(
  sql: Queryable,
  networks: Networks,
  merchantId: string,
  batchId: string,
): Promise<Payout[] | null> {
  const rows = await sql<WithdrawalViewRow[]>`
    ${withdrawalViewQuery(sql)}
    WHERE withdrawal.batch_id = ${batchId} AND withdrawal.merchant_id = ${merchantId} ORDER BY withdrawal.id`
  if (rows.length > 0) return rows.map((row) => toPayoutView(networks, row))
  const [batch] = await sql`SELECT 1 FROM batches WHERE id = ${batchId} AND merchant_id = ${merchantId}`
  return batch ? [] : null
}

function toPayoutView(networks: Networks, row: WithdrawalViewRow): Payout {
  const view = toWithdrawalView(networks, row)
  const { kind } = row
  if (kind !== 'batch_part' && !isMovement(kind)) throw new Error(`${row.id} is no part and no movement`)
  return {
    id: view.id,
    kind,
    batch_id: row.batch_id,
    items: row.batch_id === null ? null : (row.outputs ?? []).map((output) => output.index),
    status: view.status,
    stage: view.stage,
    network: view.network,
    coin: view.coin,
    fee: view.fee,
    fee_coin: view.fee_coin,
    fee_limit: view.fee_limit,
    priority: view.priority,
    from_address: view.from_address,
    failure: view.failure,
    waiting: view.waiting,
    speed_up: view.speed_up,
    cancellation: view.cancellation,
    attempts: view.attempts,
    investigation: view.investigation,
    ...progressOf(view),
  }
}
