/** Marks own outputs as spent. */

import type { Block } from '../../chains/adapter.js'
import type { Transaction } from '../connect.js'
import { keyProbe } from './key-probe.js'
import { outpointKey } from './outpoint-key.js'

/** Own output that the blocks spend. */
export interface SpentOutput {
  readonly txid: string
  readonly vout: number
  readonly merchantId: string
  readonly addressId: string
  readonly amount: bigint
  /** Transaction that spent it. */
  readonly by: string
}

/** Marks own outputs that the blocks spend, by one index probe for all spends, and returns them. */
export async function spendOutputs(
  tx: Transaction,
  network: string,
  blocks: readonly Block[],
): Promise<SpentOutput[]> {
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
  const candidates = await tx<Omit<SpentOutput, 'by'>[]>`
    SELECT txid, vout, merchant_id AS "merchantId", address_id AS "addressId", amount FROM utxos
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
  return spent
}
