import type { Block } from '../../chains/adapter.js'
import type { Transaction } from '../connect.js'
import { keyProbe } from './key-probe.js'
import { outpointKey } from './outpoint-key.js'

/**
 * Marks outputs of ours that the blocks spend, by one index probe for all spends.
 *
 * @returns The transactions that spent them.
 */
export async function spendOutputs(
  tx: Transaction,
  network: string,
  blocks: readonly Block[],
): Promise<string[]> {
  const spends = new Map<string, { readonly txid: string; readonly height: number }>()
  const keys = new Set<bigint>()
  for (const block of blocks) {
    for (const spend of block.spends) {
      spends.set(`${spend.prevTxid}:${spend.prevVout}`, { txid: spend.txid, height: block.height })
      keys.add(outpointKey(spend.prevTxid))
    }
  }
  if (spends.size === 0) return []
  const sorted = BigInt64Array.from(keys).sort()
  const candidates = await tx<{ txid: string; vout: number }[]>`
    SELECT txid, vout FROM utxos
    WHERE network = ${network} AND spent_at_block IS NULL AND txid_key = ANY (${keyProbe(tx, sorted)})`
  const spent = candidates.flatMap((output) => {
    const spend = spends.get(`${output.txid}:${output.vout}`)
    return spend ? [{ ...output, by: spend.txid, height: spend.height }] : []
  })
  if (spent.length === 0) return []
  await tx`
    UPDATE utxos output SET spent_by = spend.spent_by, spent_at_block = spend.height
    FROM unnest(
      ${spent.map((each) => each.txid)}::text[], ${spent.map((each) => each.vout)}::int[],
      ${spent.map((each) => each.by)}::text[], ${spent.map((each) => each.height)}::bigint[]
    ) AS spend (txid, vout, spent_by, height)
    WHERE output.network = ${network} AND output.txid = spend.txid AND output.vout = spend.vout`
  return [...new Set(spent.map((each) => each.by))]
}
