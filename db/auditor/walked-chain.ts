/** Reads how far the auditor walked a chain, and goes back to a fork. */

import type { Queryable, Transaction } from '../connect.js'

export interface WalkedChain {
  readonly firstBlock: number
  readonly height: number
  readonly hash: string
  /** Number of addresses with earlier payments (`countPaidBefore`) that were looked for in all of its blocks. */
  readonly paidBefore: number
}

interface Row {
  readonly first_block: bigint
  readonly height: bigint
  readonly hash: string
  readonly paid_before: bigint
}

/** Returns the progress on a network. `null` before the first walk. */
export async function readWalked(sql: Queryable, network: string): Promise<WalkedChain | null> {
  const [row] = await sql<Row[]>`
    SELECT first_block, height, hash, paid_before FROM audited_chains WHERE network = ${network}`
  return row ? toWalked(row) : null
}

/** Returns the progress, locked until the transaction ends. `null` before the first walk, when nothing is locked. */
export async function lockWalked(tx: Transaction, network: string): Promise<WalkedChain | null> {
  // Also locks out a first walk by another run.
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`audited chain ${network}`}, 0))`
  return readWalked(tx, network)
}

function toWalked(row: Row): WalkedChain {
  return {
    firstBlock: Number(row.first_block),
    height: Number(row.height),
    hash: row.hash,
    paidBefore: Number(row.paid_before),
  }
}

/** Returns how many addresses were stored after blocks that pay them. They are never deleted. */
export async function countPaidBefore(sql: Queryable, network: string): Promise<number> {
  const [row] = await sql<{ count: bigint }[]>`
    SELECT count(*) AS count FROM addresses WHERE network = ${network} AND paid_before`
  return Number(row?.count ?? 0)
}

/**
 * Returns the lowest block that can matter to the books: where the network file begins, or the lowest block of which
 * the books know anything.
 */
export async function lowestKnownBlock(sql: Queryable, network: string): Promise<number | null> {
  const [row] = await sql<{ height: bigint | null }[]>`
    SELECT least(
      (SELECT min(height) FROM chain_blocks WHERE network = ${network}),
      (SELECT min(block_number) FROM utxos WHERE network = ${network}),
      (SELECT min(block_number) FROM deposits WHERE network = ${network})) AS height`
  return row?.height == null ? null : Number(row.height)
}

/** Returns hashes of walked blocks up to a height, newest first, to find where another chain left this one. */
export async function walkedBlocks(
  sql: Queryable,
  network: string,
  upTo: number,
  most: number,
): Promise<{ readonly height: number; readonly hash: string }[]> {
  const rows = await sql<{ height: bigint; hash: string }[]>`
    SELECT height, hash FROM audited_blocks WHERE network = ${network} AND height <= ${upTo}
    ORDER BY height DESC LIMIT ${most}`
  return rows.map((row) => ({ height: Number(row.height), hash: row.hash }))
}

/** Forgets all that was seen above a block of both chains. @param fork - `null` if no walked block is on the new chain. */
export async function rewindWalked(
  tx: Transaction,
  network: string,
  fork: { readonly height: number; readonly hash: string } | null,
): Promise<void> {
  const height = fork?.height ?? -1
  await tx`DELETE FROM audited_outputs WHERE network = ${network} AND height > ${height}`
  await tx`UPDATE audited_outputs SET spent_height = NULL WHERE network = ${network} AND spent_height > ${height}`
  await tx`DELETE FROM audited_blocks WHERE network = ${network} AND height > ${height}`
  if (fork === null) await tx`DELETE FROM audited_chains WHERE network = ${network}`
  else
    await tx`
      UPDATE audited_chains SET height = ${fork.height}, hash = ${fork.hash}, updated_at = clock_timestamp()
      WHERE network = ${network}`
}
