/** Counts transfers below a network's minimum instead of recording them. */

import type { Queryable, Transaction } from '../connect.js'
import type { MinedTransfer } from './hit.js'
import { type Hit, hitKey } from './hit.js'

/**
 * Separates the hits of blocks that are recorded from those that are only counted. A deposit that was under
 * way before a minimum was raised continues.
 */
export async function partSmall(
  tx: Transaction,
  network: string,
  hits: readonly Hit<MinedTransfer>[],
): Promise<{
  readonly recorded: readonly Hit<MinedTransfer>[]
  readonly small: readonly Hit<MinedTransfer>[]
}> {
  const candidates = hits.filter((hit) => hit.small)
  if (candidates.length === 0) return { recorded: hits, small: [] }
  const rows = await tx<{ txid: string; output_index: number }[]>`
    SELECT txid, output_index FROM deposits
    WHERE network = ${network} AND txid = ANY (${[...new Set(candidates.map((hit) => hit.transfer.txid))]})`
  const known = new Set(rows.map((row) => hitKey(row.txid, row.output_index)))
  const small = candidates.filter((hit) => !known.has(hitKey(hit.transfer.txid, hit.transfer.index)))
  const counted = new Set(small)
  return {
    recorded: hits
      .filter((hit) => !counted.has(hit))
      .map((hit) => (hit.small ? { ...hit, small: false, deposit: true } : hit)),
    small,
  }
}

/** Adds small transfers up by block, address and coin. */
export async function countSmall(
  tx: Transaction,
  network: string,
  small: readonly Hit<MinedTransfer>[],
): Promise<void> {
  if (small.length === 0) return
  await tx`${insertSmall(tx, network, small)}`
}

/** Does so for blocks that may have been counted before, and changes nothing of those that were. */
export async function countSmallAgain(
  tx: Transaction,
  network: string,
  small: readonly Hit<MinedTransfer>[],
): Promise<void> {
  if (small.length === 0) return
  const [row] = await tx<{ pruned_to: bigint | null }[]>`
    SELECT pruned_to FROM chain_cursors WHERE network = ${network}`
  // What is older was merged, and no longer says which blocks it has.
  const separate = small.filter((hit) => hit.transfer.block.height > Number(row?.pruned_to ?? -1n))
  if (separate.length > 0) await tx`${insertSmall(tx, network, separate)} ON CONFLICT DO NOTHING`
}

function insertSmall(tx: Transaction, network: string, small: readonly Hit<MinedTransfer>[]) {
  return tx`
    INSERT INTO small_transfers (network, block_number, address_id, coin, transfers, amount)
    SELECT ${network}, block_number, address_id, coin, count(*), sum(amount)
    FROM unnest(
      ${small.map((hit) => hit.transfer.block.height)}::bigint[], ${small.map((hit) => hit.address.id)}::text[],
      ${small.map((hit) => hit.transfer.coin)}::text[],
      ${small.map((hit) => hit.transfer.amount.toString())}::text[]::numeric[]) AS hit (block_number, address_id, coin, amount)
    GROUP BY block_number, address_id, coin`
}

/** Deletes what was counted above a fork. */
export async function uncountSmall(tx: Transaction, network: string, height: number): Promise<void> {
  await tx`DELETE FROM small_transfers WHERE network = ${network} AND block_number > ${height}`
}

/** Merges what was counted up to a height that is too deep to leave the chain. */
export async function foldSmall(tx: Transaction, network: string, height: number): Promise<void> {
  await tx`
    WITH old AS (
      DELETE FROM small_transfers WHERE network = ${network} AND block_number BETWEEN 0 AND ${height} RETURNING *
    )
    INSERT INTO small_transfers AS kept (network, block_number, address_id, coin, transfers, amount)
    SELECT network, -1, address_id, coin, sum(transfers), sum(amount) FROM old GROUP BY network, address_id, coin
    ON CONFLICT (network, block_number, address_id, coin) DO UPDATE
    SET transfers = kept.transfers + excluded.transfers, amount = kept.amount + excluded.amount`
}

export interface SmallTransfers {
  readonly network: string
  readonly coin: string
  readonly transfers: number
}

/** Returns the number of small transfers of each coin. */
export async function readSmallTransfers(sql: Queryable): Promise<SmallTransfers[]> {
  const rows = await sql<{ network: string; coin: string; transfers: bigint }[]>`
    SELECT network, coin, sum(transfers)::bigint AS transfers FROM small_transfers
    GROUP BY network, coin ORDER BY network, coin`
  return rows.map((row) => ({ ...row, transfers: Number(row.transfers) }))
}
