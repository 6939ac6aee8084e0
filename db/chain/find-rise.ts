/** Finds the rise of a balance that an exception is about. */

import type { Transaction } from '../connect.js'
import { type RiseSource, riseCause } from './missed-cause.js'

/** A rise that is recorded. */
export interface RecordedRise {
  readonly merchantId: string
  readonly network: string
  readonly addressId: string
  readonly address: string
  readonly coin: string
  readonly source: RiseSource
  /** Index of the chain's own withdrawal, or the height at which the balance was compared. */
  readonly reference: string
  readonly height: bigint
  /** Amount in base units, less what transactions explained since. */
  readonly amount: bigint
  /** Journal that books it. `null`: it lies outside the books. */
  readonly journalId: bigint | null
}

interface About {
  readonly merchant_id: string
  readonly cause: string
  readonly subject_type: string
  readonly subject_id: string
}

/**
 * Returns the rise. `null` for an exception about something else, and once a transaction explained the rise or a reorg
 * removed it. Who changes it holds the lock of the chain's cursor.
 */
export async function findRise(
  tx: Transaction,
  { merchant_id: merchantId, cause, subject_type: type, subject_id: id }: About,
): Promise<RecordedRise | null> {
  if (type !== 'address') return null
  const rows = await tx<RecordedRise[]>`
    SELECT address.merchant_id AS "merchantId", rise.network, rise.address_id AS "addressId", address.address, rise.coin,
           rise.source, rise.reference, rise.block_number AS height, rise.amount, rise.journal_id AS "journalId"
    FROM addresses address
    JOIN balance_rises rise ON rise.network = address.network AND rise.address_id = address.id
    WHERE address.id = ${id} AND address.merchant_id = ${merchantId}`
  return rows.find((row) => riseCause(row.addressId, row.coin, row.source, row.reference) === cause) ?? null
}
