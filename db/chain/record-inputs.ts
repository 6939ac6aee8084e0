/** Keeps the outpoints that transactions of deposits spend, and which transaction finally spent each. */

import type { Block, Spend } from '../../chains/adapter.js'
import type { Transaction } from '../connect.js'
import type { Hit } from './hit.js'
import { keyProbe } from './key-probe.js'
import { outpointKey } from './outpoint-key.js'

/** Returns what the transactions of the deposits spend, as far as it is known. */
export function inputsOf(hits: readonly Hit[], spends: readonly Spend[]): Spend[] {
  const txids = new Set<string>()
  for (const hit of hits) if (hit.deposit) txids.add(hit.transfer.txid)
  if (txids.size === 0) return []
  const inputs = spends.filter((spend) => txids.has(spend.txid))
  for (const hit of hits) if (hit.deposit && hit.details) inputs.push(...hit.details.spends)
  return inputs
}

/** Keeps what the transactions of deposits spend, so that a conflicting transaction is noticed later. */
export async function recordInputs(
  tx: Transaction,
  network: string,
  spends: readonly Spend[],
): Promise<void> {
  if (spends.length === 0) return
  await tx`
    INSERT INTO deposit_inputs (network, prev_txid, prev_vout, txid)
    SELECT DISTINCT ${network}, prev_txid, prev_vout, txid
    FROM unnest(
      ${spends.map((spend) => spend.prevTxid)}::text[], ${spends.map((spend) => spend.prevVout)}::int[],
      ${spends.map((spend) => spend.txid)}::text[]) AS spend (prev_txid, prev_vout, txid)
    ON CONFLICT DO NOTHING`
}

/**
 * Notes which transactions of these blocks spent the inputs of deposits: their own, or others. Call it after
 * `recordInputs`, because a deposit and its replacement may lie in the same blocks.
 */
export async function spendInputs(tx: Transaction, network: string, blocks: readonly Block[]): Promise<void> {
  const spenders = new Map<string, { readonly txid: string; readonly height: number }>()
  const keys = new Set<bigint>()
  for (const block of blocks) {
    for (const spend of block.spends) {
      spenders.set(`${spend.prevTxid}:${spend.prevVout}`, { txid: spend.txid, height: block.height })
      keys.add(outpointKey(spend.prevTxid))
    }
  }
  if (keys.size === 0) return
  const known = await tx<{ prev_txid: string; prev_vout: number }[]>`
    SELECT DISTINCT prev_txid, prev_vout FROM deposit_inputs
    WHERE network = ${network} AND prev_key = ANY (${keyProbe(tx, BigInt64Array.from(keys).sort())})
      AND spent_at_block IS NULL`
  const spent = known.flatMap((input) => {
    const spend = spenders.get(`${input.prev_txid}:${input.prev_vout}`)
    return spend ? [{ ...input, ...spend }] : []
  })
  if (spent.length === 0) return
  await tx`
    UPDATE deposit_inputs input SET spent_by = spend.txid, spent_at_block = spend.height
    FROM unnest(
      ${spent.map((each) => each.prev_txid)}::text[], ${spent.map((each) => each.prev_vout)}::int[],
      ${spent.map((each) => each.txid)}::text[], ${spent.map((each) => each.height)}::bigint[]
    ) AS spend (prev_txid, prev_vout, txid, height)
    WHERE input.network = ${network} AND input.prev_txid = spend.prev_txid AND input.prev_vout = spend.prev_vout`
}

/** Marks what blocks above a height had spent as unspent. */
export async function unspendInputs(tx: Transaction, network: string, height: number): Promise<void> {
  await tx`
    UPDATE deposit_inputs SET spent_by = NULL, spent_at_block = NULL
    WHERE network = ${network} AND spent_at_block > ${height}`
}
