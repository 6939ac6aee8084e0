/**
 * Finds the deposits at places in transactions that pay own addresses. On EVM networks one place may pay
 * something else when it is mined again.
 */

import type { Network } from '../../domain/chain/network.js'
import { UNMINED_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import type { Transaction } from '../connect.js'
import { type DepositRow, selectDeposits } from '../deposits/deposit-row.js'
import { moveDeposit } from '../deposits/move-deposit.js'
import { type Hit, hitKey } from './hit.js'

/** Deposits that were ever seen at each place, locked. */
export type Positions = ReadonlyMap<string, readonly DepositRow[]>

/** Locks the deposits of these transactions, in the order of their ids. */
export async function lockPositions(
  tx: Transaction,
  network: Network,
  txids: Iterable<string>,
): Promise<Positions> {
  const rows = await tx<DepositRow[]>`
    ${selectDeposits(tx)}
    WHERE deposit.network = ${network.name} AND deposit.txid = ANY (${[...new Set(txids)]})
    ORDER BY deposit.id FOR UPDATE OF deposit`
  const positions = new Map<string, DepositRow[]>()
  for (const row of rows) {
    const key = hitKey(row.txid, row.output_index)
    const there = positions.get(key)
    if (there) there.push(row)
    else positions.set(key, [row])
  }
  return positions
}

/** Returns the deposits that were seen at the place of a hit. */
export function rowsAt(positions: Positions, hit: Hit): readonly DepositRow[] {
  return positions.get(hitKey(hit.transfer.txid, hit.transfer.index)) ?? []
}

/**
 * Returns whether a hit pays the address and the coin of a deposit. Only then may the deposit continue with
 * its amount.
 */
export function isPaidBy(row: DepositRow, hit: Hit): boolean {
  return row.address_id === hit.address.id && row.coin === hit.transfer.coin
}

/** Returns whether a deposit is in no block and can still be replaced. */
export function isUnmined(row: DepositRow): boolean {
  return UNMINED_DEPOSITS[row.status]
}

/**
 * Returns a deposit that ends because its transaction pays something else, or nothing, in its place. It is
 * not yet written.
 */
export function superseded(row: DepositRow, at: Date, cause: string): DepositRow {
  return moveDeposit(row, 'replaced', at, cause, { absent_since: null, signalled_at: null })
}
