/** Finds the open payments whose transactions others replace, so that a higher fee does not lose the payment. */

import type { Spend } from '../../chains/adapter.js'
import type { Transaction } from '../connect.js'
import type { Hit } from './hit.js'
import { keyProbe } from './key-probe.js'
import type { ReplacedPayment, ReplacedPayments } from './match-transfers.js'
import { outpointKey } from './outpoint-key.js'
import { inputsOf } from './record-inputs.js'

/**
 * Finds them by one index probe. An open payment takes no new deposits after its end, but the replacement of
 * one that it has is no new deposit. A payment with an amount has its own address, and needs none of this.
 *
 * @param fresh - Transfers that are seen for the first time.
 * @param spends - Inputs of the transactions, as far as blocks or the mempool show them.
 */
export async function paymentsOfReplaced(
  tx: Transaction,
  network: string,
  fresh: readonly Hit[],
  spends: readonly Spend[],
): Promise<ReplacedPayments> {
  const found = new Map<string, ReplacedPayment[]>()
  const inputs = inputsOf(
    fresh.filter((hit) => !hit.address.payments.some(({ coin }) => coin === null)),
    spends,
  )
  if (inputs.length === 0) return found
  const keys = BigInt64Array.from(inputs, (input) => outpointKey(input.prevTxid)).sort()
  const rows = await tx<(ReplacedPayment & { prev_txid: string; prev_vout: number })[]>`
    SELECT DISTINCT input.prev_txid, input.prev_vout, payment.id, payment.merchant_id, payment.user_reference, payment.coin
    FROM deposit_inputs input
    JOIN deposits deposit ON deposit.network = input.network AND deposit.txid = input.txid
    JOIN payments payment ON payment.id = deposit.payment_id AND payment.amount IS NULL
    WHERE input.network = ${network} AND input.prev_key = ANY (${keyProbe(tx, keys)})`
  for (const row of rows) {
    for (const { txid, prevTxid, prevVout } of inputs) {
      if (prevTxid !== row.prev_txid || prevVout !== row.prev_vout) continue
      found.set(txid, [...(found.get(txid) ?? []), row])
    }
  }
  return found
}
