/** Stores what walked blocks pay to issued addresses, and which of these outputs they spend. */

import { keyProbe } from '../chain/key-probe.js'
import { outpointKey } from '../chain/outpoint-key.js'
import type { Transaction } from '../connect.js'

/** A walked block, as the auditor gives it. */
export interface WalkedBlockRow {
  readonly height: number
  readonly hash: string
  readonly spends: readonly { readonly txid: string; readonly vout: number }[]
}

/** Output of a walked block to an address that was issued. */
export interface WalkedOutputRow {
  readonly txid: string
  readonly vout: number
  readonly merchantId: string
  readonly addressId: string
  readonly amount: bigint
  readonly height: number
}

/** Newest blocks whose hashes are all kept. Of older ones, one in `ONE_IN` is. */
const NEWEST = 1_000
const ONE_IN = 100

/**
 * Stores consecutive blocks above the progress, which the caller has locked.
 *
 * @param paidBefore - As in `WalkedChain`, for a record that begins with the blocks.
 */
export async function storeWalked(
  tx: Transaction,
  network: string,
  blocks: readonly WalkedBlockRow[],
  outputs: readonly WalkedOutputRow[],
  paidBefore: number,
): Promise<void> {
  const [first, last] = [blocks[0], blocks.at(-1)]
  if (!first || !last) return
  await insertOutputs(tx, network, outputs)
  // After the outputs, because a block may spend what it makes.
  await spendOutputs(tx, network, blocks)
  await tx`
    INSERT INTO audited_blocks (network, height, hash)
    SELECT ${network}, height, hash
    FROM unnest(${blocks.map((block) => block.height)}::bigint[], ${blocks.map((block) => block.hash)}::text[])
      AS block (height, hash)`
  await tx`
    DELETE FROM audited_blocks
    WHERE network = ${network} AND height % ${ONE_IN} <> 0
      AND height BETWEEN ${first.height - NEWEST} AND ${last.height - NEWEST}`
  await tx`
    INSERT INTO audited_chains (network, first_block, height, hash, paid_before)
    VALUES (${network}, ${first.height}, ${last.height}, ${last.hash}, ${paidBefore})
    ON CONFLICT (network) DO UPDATE
    SET height = excluded.height, hash = excluded.hash, updated_at = clock_timestamp()`
}

async function insertOutputs(
  tx: Transaction,
  network: string,
  outputs: readonly WalkedOutputRow[],
): Promise<void> {
  if (outputs.length === 0) return
  await tx`
    INSERT INTO audited_outputs (network, txid, vout, merchant_id, address_id, amount, height)
    SELECT ${network}, txid, vout, merchant_id, address_id, amount, height
    FROM unnest(
      ${outputs.map((output) => output.txid)}::text[], ${outputs.map((output) => output.vout)}::int[],
      ${outputs.map((output) => output.merchantId)}::text[], ${outputs.map((output) => output.addressId)}::text[],
      ${outputs.map((output) => output.amount.toString())}::text[]::numeric[],
      ${outputs.map((output) => output.height)}::bigint[]
    ) AS output (txid, vout, merchant_id, address_id, amount, height)
    ON CONFLICT DO NOTHING`
}

async function spendOutputs(
  tx: Transaction,
  network: string,
  blocks: readonly WalkedBlockRow[],
): Promise<void> {
  const spentIn = new Map<string, number>()
  const keys = new Set<bigint>()
  for (const { height, spends } of blocks) {
    for (const { txid, vout } of spends) {
      spentIn.set(`${txid}:${vout}`, height)
      keys.add(outpointKey(txid))
    }
  }
  if (keys.size === 0) return
  const candidates = await tx<{ txid: string; vout: number }[]>`
    SELECT txid, vout FROM audited_outputs
    WHERE network = ${network} AND spent_height IS NULL
      AND txid_key = ANY (${keyProbe(tx, BigInt64Array.from(keys).sort())})`
  const spent = candidates.flatMap(({ txid, vout }) => {
    const height = spentIn.get(`${txid}:${vout}`)
    return height === undefined ? [] : [{ txid, vout, height }]
  })
  if (spent.length === 0) return
  await tx`
    UPDATE audited_outputs output SET spent_height = spend.height
    FROM unnest(
      ${spent.map((each) => each.txid)}::text[], ${spent.map((each) => each.vout)}::int[],
      ${spent.map((each) => each.height)}::bigint[]) AS spend (txid, vout, height)
    WHERE output.network = ${network} AND output.txid = spend.txid AND output.vout = spend.vout`
}
