/** Takes what a rescan explains off what was unexplained, and closes the exceptions about it. */

import { byFamily } from '../../domain/chain/by-family.js'
import type { Network } from '../../domain/chain/network.js'
import { closeCauses } from '../books/exceptions/close-cause.js'
import type { Transaction } from '../connect.js'
import type { DepositRow } from '../deposits/deposit-row.js'
import { missedCause, riseCause } from './missed-cause.js'

/** Does so for deposits that a rescan recorded. */
export async function explainRises(
  tx: Transaction,
  network: Network,
  deposits: readonly DepositRow[],
): Promise<void> {
  for (const deposit of deposits) {
    const { id, merchant_id: merchantId, address_id: addressId, coin, block_number: height } = deposit
    const evidence = { deposit: id, transaction_hash: deposit.txid, block_number: Number(height) }
    const causes = byFamily(network, {
      utxo: () => [missedCause(network.name, `${deposit.txid}:${deposit.output_index}`)],
      evm: () => [missedCause(network.name, `${addressId}:${coin}`)],
    })
    causes.push(...(await lowerRises(tx, network.name, deposit)))
    await closeCauses(
      tx,
      causes.map((cause) => ({ merchantId, cause, evidence })),
    )
  }
}

/** @returns The causes of the rises that are explained whole. */
async function lowerRises(tx: Transaction, network: string, deposit: DepositRow): Promise<string[]> {
  const rises = await tx<{ reference: string; amount: bigint }[]>`
    SELECT reference, amount FROM balance_rises
    WHERE network = ${network} AND address_id = ${deposit.address_id} AND coin = ${deposit.coin}
      AND source = 'unexplained' AND block_number >= ${deposit.block_number}
    ORDER BY block_number, reference FOR UPDATE`
  let left = deposit.amount
  const explained: string[] = []
  for (const { reference, amount } of rises) {
    if (left === 0n) break
    const taken = left < amount ? left : amount
    left -= taken
    const where = tx`
      network = ${network} AND address_id = ${deposit.address_id} AND coin = ${deposit.coin}
      AND source = 'unexplained' AND reference = ${reference}`
    if (taken < amount) {
      await tx`UPDATE balance_rises SET amount = amount - ${taken} WHERE ${where}`
      continue
    }
    await tx`DELETE FROM balance_rises WHERE ${where}`
    explained.push(riseCause(deposit.address_id, deposit.coin, 'unexplained', reference))
  }
  return explained
}
