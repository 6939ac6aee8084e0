/** Declares the request and the row of a transfer, and shows it as the API does. */

import type { Coin, Network } from '../../../domain/chain/network.js'
import type { Transfer } from '../../../wire/transfer.js'

export interface TransferRow {
  readonly id: string
  readonly merchant_id: string
  readonly external_id: string | null
  /** User who paid. `null` is the merchant's own account. */
  readonly from_user_reference: string | null
  /** User who received. `null` is the merchant's own account. */
  readonly to_user_reference: string | null
  readonly network: string
  readonly coin: string
  /** Base units. */
  readonly amount: bigint
  /** Amount as it was sent, in whole coins. */
  readonly amount_text: string
  readonly reason: string
  readonly journal_id: bigint
  readonly created_at: Date
}

/** A checked request: the amount in base units. */
export interface NewTransfer {
  readonly merchantId: string
  /** User who pays. `null` is the merchant's own account. */
  readonly from: string | null
  /** User who receives. `null` is the merchant's own account. */
  readonly to: string | null
  readonly network: Network
  readonly coin: Coin
  readonly amount: bigint
  /** Amount as it was sent, in whole coins. */
  readonly amountText: string
  readonly externalId: string | null
  readonly reason: string
  readonly actor: string
}

/** Returns the transfer as the API and its event show it. */
export function toTransferView(row: TransferRow): Transfer {
  return {
    id: row.id,
    from_user_reference: row.from_user_reference,
    to_user_reference: row.to_user_reference,
    network: row.network,
    coin: row.coin,
    amount: row.amount_text,
    external_id: row.external_id,
    reason: row.reason,
    journal_id: row.journal_id.toString(),
    created_at: row.created_at.toISOString(),
  }
}
