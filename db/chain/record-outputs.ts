/** Records outputs to own addresses. */

import type { Transaction } from '../connect.js'
import type { Hit, MinedTransfer } from './hit.js'

/** Records every mined output to an own address: deposits, change and treasury alike. */
export async function recordOutputs(
  tx: Transaction,
  network: string,
  hits: readonly Hit<MinedTransfer>[],
): Promise<void> {
  if (hits.length === 0) return
  await tx`
    INSERT INTO utxos (network, txid, vout, merchant_id, address_id, amount, coinbase, block_number)
    SELECT ${network}, txid, vout, merchant_id, address_id, amount, coinbase, block_number
    FROM unnest(
      ${hits.map((hit) => hit.transfer.txid)}::text[], ${hits.map((hit) => hit.transfer.index)}::int[],
      ${hits.map((hit) => hit.address.merchantId)}::text[], ${hits.map((hit) => hit.address.id)}::text[],
      ${hits.map((hit) => hit.transfer.amount.toString())}::text[]::numeric[],
      ${hits.map((hit) => String(hit.transfer.coinbase ?? false))}::text[]::boolean[],
      ${hits.map((hit) => hit.transfer.block.height)}::bigint[]
    ) AS output (txid, vout, merchant_id, address_id, amount, coinbase, block_number)
    ON CONFLICT (network, txid, vout) DO UPDATE SET block_number = excluded.block_number`
}
