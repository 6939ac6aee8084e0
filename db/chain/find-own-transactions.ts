/** Finds own transactions on a chain, and which of their outputs are nevertheless deposits. */

import { isMovement } from '../../domain/payouts/treasury.js'
import type { Queryable } from '../connect.js'
import type { MatchedAddress } from './match-transfers.js'

export interface OwnTransaction {
  readonly merchantId: string
  readonly subjectType: string
  /** Whether it only moves money between the merchant's own wallets. */
  readonly movement: boolean
  /** Id of the address that takes the change. `null` without change. */
  readonly changeAddressId: string | null
}

/**
 * Returns the platform's transactions by txid. They are stored before the first broadcast, so before anyone
 * can see them.
 */
export async function findOwnTransactions(
  sql: Queryable,
  network: string,
  txids: readonly string[],
): Promise<ReadonlyMap<string, OwnTransaction>> {
  if (txids.length === 0) return new Map()
  const rows = await sql<
    {
      txid: string
      merchant_id: string
      subject_type: string
      kind: string | null
      change_address_id: string | null
    }[]
  >`
    SELECT own.txid, own.merchant_id, own.subject_type, withdrawal.kind, own.change ->> 'address_id' AS change_address_id
    FROM attempts own LEFT JOIN payouts withdrawal ON withdrawal.id = own.payout_id
    WHERE own.network = ${network} AND own.txid = ANY (${[...new Set(txids)]})`
  return new Map(
    rows.map((row) => [
      row.txid,
      {
        merchantId: row.merchant_id,
        subjectType: row.subject_type,
        movement: isMovement(row.kind ?? undefined),
        changeAddressId: row.change_address_id,
      },
    ]),
  )
}

/**
 * Returns whether what arrives at `address` is a deposit. A transaction that a merchant made for itself
 * (change, consolidation, gas) only moves money that is in the books. A withdrawal to an own address is a
 * deposit like any other, because the withdrawal's journal takes the money out of the books.
 */
export function isDeposit(address: MatchedAddress, payer: OwnTransaction | undefined): boolean {
  if (!payer || payer.merchantId !== address.merchantId) return true
  if (payer.movement) return false
  const paysOut = payer.subjectType === 'withdrawal' || payer.subjectType === 'batch'
  return paysOut && address.kind !== 'change' && address.id !== payer.changeAddressId
}
