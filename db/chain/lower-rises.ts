/** Lowers unexplained rises of a balance by coins that are explained or gone. */

import type { Transaction } from '../connect.js'
import type { Rise } from './record-rises.js'

/** A rise that was lowered. */
export interface Lowered {
  /** The rise with the amount that is left. */
  readonly rise: Rise
  /** Base units that it lost. */
  readonly taken: bigint
  /** Journal that had booked it. `null`: none had. */
  readonly journalId: bigint | null
}

/**
 * Which rises are lowered: those noticed at the height or later, the first of them first, or those that are not booked,
 * the last of them first.
 */
type Which = { readonly since: bigint | null } | 'unbooked'

/**
 * Lowers rises until the sum is taken, and deletes those of which nothing is left. The caller has locked the chain's
 * cursor, and closes the exceptions.
 *
 * @param sum - Base units to take at most.
 * @returns The rises that were lowered. None of them is booked any more.
 */
export async function lowerRises(
  tx: Transaction,
  network: string,
  { addressId, coin }: { readonly addressId: string; readonly coin: string },
  sum: bigint,
  which: Which,
): Promise<Lowered[]> {
  const rises = await tx<(Rise & { journalId: bigint | null })[]>`
    SELECT address.merchant_id AS "merchantId", rise.address_id AS "addressId", address.address, rise.coin, rise.source,
           rise.reference, rise.block_number::float8 AS height, rise.amount, rise.journal_id AS "journalId"
    FROM balance_rises rise JOIN addresses address ON address.id = rise.address_id
    WHERE rise.network = ${network} AND rise.address_id = ${addressId} AND rise.coin = ${coin}
      AND rise.source = 'unexplained'
      AND ${which === 'unbooked' ? tx`rise.journal_id IS NULL` : tx`rise.block_number >= ${which.since}`}
    ORDER BY rise.block_number ${which === 'unbooked' ? tx`DESC` : tx`ASC`}, rise.reference FOR UPDATE OF rise`
  let left = sum
  const lowered: Lowered[] = []
  for (const { journalId, ...rise } of rises) {
    if (left === 0n) break
    const { amount } = rise
    const isWhole = left >= amount
    const taken = isWhole ? amount : left
    left -= taken
    const where = tx`
      network = ${network} AND address_id = ${addressId} AND coin = ${coin}
      AND source = 'unexplained' AND reference = ${rise.reference}`
    await (isWhole
      ? tx`DELETE FROM balance_rises WHERE ${where}`
      : tx`UPDATE balance_rises SET amount = amount - ${taken}, journal_id = NULL WHERE ${where}`)
    lowered.push({ rise: { ...rise, amount: amount - taken }, taken, journalId })
  }
  return lowered
}
