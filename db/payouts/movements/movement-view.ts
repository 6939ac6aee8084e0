/** Movements as the API answers them, and as `movement.status_changed` carries them. */

import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import type { MovementKind } from '../../../domain/payouts/treasury.js'
import type { WithdrawalStatus } from '../../../domain/payouts/withdrawal-stage.js'
import type { MovementStatusChanged } from '../../../wire/event.js'
import type { Movement } from '../../../wire/movement.js'
import type { Queryable, Transaction } from '../../connect.js'
import { appendEvent } from '../../events/log/append-event.js'
import {
  progressOf,
  toWithdrawalView,
  type WithdrawalViewRow,
  withdrawalViewQuery,
} from '../withdrawals/read-withdrawal-view.js'

/** Reads one movement. With `merchantId`, only if it is that merchant's. `null` when there is none. */
export async function readMovementView(
  sql: Queryable,
  networks: Networks,
  id: string,
  merchantId?: string,
): Promise<Movement | null> {
  const [row] = await sql<WithdrawalViewRow[]>`
    ${withdrawalViewQuery(sql)}
    WHERE withdrawal.id = ${id} AND withdrawal.kind IN ('consolidation', 'gas_funding', 'rebalance')
      AND (${merchantId ?? null}::text IS NULL OR withdrawal.merchant_id = ${merchantId ?? null})`
  return row ? toMovementView(networks, row) : null
}

/** Turns a row into its view. */
export function toMovementView(networks: Networks, row: WithdrawalViewRow): Movement {
  const view = toWithdrawalView(networks, row)
  const { decimals } = knownCoin(findNetwork(networks, row.network), row.coin)
  return {
    id: view.id,
    kind: row.kind as MovementKind,
    cause: String(row.metadata.cause ?? ''),
    status: view.status,
    stage: view.stage,
    network: view.network,
    coin: view.coin,
    amount: formatAmount(row.amount, decimals),
    fee: view.fee,
    fee_coin: view.fee_coin,
    fee_limit: view.fee_limit,
    from_address: view.from_address,
    to_address: view.to_address,
    approvals: view.approvals,
    required_approvals: view.required_approvals,
    intent_hash: view.intent_hash,
    failure: view.failure,
    waiting: view.waiting,
    ...progressOf(view),
  }
}

/**
 * Appends `movement.status_changed` with the row as it is now. `previous` is `null` when the movement was
 * just created.
 */
export async function appendMovementEvent(
  tx: Transaction,
  networks: Networks,
  row: { readonly id: string; readonly merchant_id: string },
  previous: WithdrawalStatus | null,
): Promise<void> {
  const view = await readMovementView(tx, networks, row.id)
  if (!view) throw new Error(`Movement ${row.id} does not exist`)
  await appendEvent(tx, {
    merchantId: row.merchant_id,
    type: 'movement.status_changed',
    subject: row.id,
    data: { ...view, previous_status: previous } satisfies MovementStatusChanged,
  })
}
