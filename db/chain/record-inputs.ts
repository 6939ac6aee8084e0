import type { Spend } from '../../chains/adapter.js'
import type { Transaction } from '../connect.js'

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
