/**
 * Makes the input of a withdrawal's workflow from its row: for the API, and for the sweeper when the API's
 * start failed.
 */

import { findNetwork, knownCoin, type Networks } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { isMovement, type MovementKind } from '../../domain/payouts/treasury.js'
import type { Queryable } from '../connect.js'
import type { PayoutRow } from './payout-row.js'

/** The input, as `WithdrawalInput` of `temporal/inputs.ts`. */
export interface WithdrawalStart {
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  readonly title: string
  /** Kind of movement. Absent for withdrawals. */
  readonly kind?: MovementKind
  readonly intentHash: string
  readonly initiator: string
  readonly expiresAt: string
  /**
   * Whether a reorg removed the transaction that had settled it. A new run then follows the closed workflow.
   */
  readonly reopened?: boolean
  /** Batch of a part. */
  readonly batchId?: string
}

/** Reads the input of one withdrawal. `null` when it does not exist. */
export async function readWithdrawalInput(
  sql: Queryable,
  networks: Networks,
  id: string,
): Promise<WithdrawalStart | null> {
  const [row] = await sql<PayoutRow[]>`SELECT * FROM payouts WHERE id = ${id}`
  return row ? toWithdrawalStart(networks, row) : null
}

/** Returns the input that belongs to a row. */
export function toWithdrawalStart(networks: Networks, row: PayoutRow): WithdrawalStart {
  const { decimals } = knownCoin(findNetwork(networks, row.network), row.coin)
  return {
    id: row.id,
    merchantId: row.merchant_id,
    network: row.network,
    coin: row.coin,
    title: `${formatAmount(row.amount, decimals)} ${row.coin} to ${recipients(row)}`,
    ...(isMovement(row.kind) ? { kind: row.kind } : {}),
    intentHash: row.intent_hash,
    initiator: row.initiator,
    expiresAt: row.expires_at.toISOString(),
    ...(row.reopened > 0 ? { reopened: true } : {}),
    ...(row.batch_id === null ? {} : { batchId: row.batch_id }),
  }
}

function recipients({ to_address, outputs }: PayoutRow): string {
  return outputs && outputs.length > 1 ? `${outputs.length} addresses` : shorten(to_address)
}

function shorten(address: string): string {
  return address.length <= 20 ? address : `${address.slice(0, 8)}…${address.slice(-6)}`
}
