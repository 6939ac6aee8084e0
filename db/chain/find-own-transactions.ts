/** Which transactions on a chain are ours, and which of their outputs are nevertheless deposits. */

import type { Queryable } from '../connect.js'
import type { MatchedAddress } from './match-transfers.js'

export interface OwnTransaction {
  readonly merchantId: string
  readonly subjectType: string
  /** Id of the address that takes the change; null without change. */
  readonly changeAddressId: string | null
}

/** Transactions that the platform made, by txid (stored before the first broadcast, so before anybody can see them). */
export async function findOwnTransactions(
  sql: Queryable,
  network: string,
  txids: readonly string[],
): Promise<ReadonlyMap<string, OwnTransaction>> {
  if (txids.length === 0) return new Map()
  const rows = await sql<
    { txid: string; merchant_id: string; subject_type: string; change_address_id: string | null }[]
  >`
    SELECT txid, merchant_id, subject_type, change ->> 'address_id' AS change_address_id FROM transactions
    WHERE network = ${network} AND txid = ANY (${[...new Set(txids)]})`
  return new Map(
    rows.map((row) => [
      row.txid,
      {
        merchantId: row.merchant_id,
        subjectType: row.subject_type,
        changeAddressId: row.change_address_id,
      },
    ]),
  )
}

/**
 * Whether what arrives at `address` is a deposit. A transaction that a merchant made for itself (change, consolidation,
 * gas) only moves what the books know already; a withdrawal to an address of ours is a deposit like any other, because
 * the withdrawal's books let go of it.
 */
export function isDeposit(address: MatchedAddress, payer: OwnTransaction | undefined): boolean {
  if (!payer || payer.merchantId !== address.merchantId) return true
  const paysOut = payer.subjectType === 'withdrawal' || payer.subjectType === 'batch'
  return paysOut && address.kind !== 'change' && address.id !== payer.changeAddressId
}
