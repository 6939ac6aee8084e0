/** Adds what the chain has moved and the books will book later. It is expected, and no difference. */

import { type InFlight, listInFlight } from '../../../db/auditor/list-in-flight.js'
import type { Difference } from '../../../domain/books/difference.js'
import { knownCoin, type Network } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import type { ChainAuditTask } from './audit-task.js'

/** Most of a kind that a run shows. */
const MOST = 100

/** Adds deposits that wait for confirmations, and payouts that wait for their settlement, at the block. */
export async function describeInFlight({
  sql,
  merchantId,
  network,
  block,
  findings,
}: ChainAuditTask): Promise<void> {
  const books = { merchantId, network: network.name, height: block.height }
  for (const each of await listInFlight(sql, books, MOST)) findings.expect(toDifference(network, each))
}

function toDifference(network: Network, each: InFlight): Difference {
  const { decimals } = knownCoin(network, each.coin)
  const amount = formatAmount(each.amount < 0n ? -each.amount : each.amount, decimals)
  return {
    subject: { type: each.type, id: each.id },
    ...(each.address === null ? {} : { address: each.address }),
    ...(each.vout === null ? {} : { outpoint: `${each.txid}:${each.vout}` }),
    network: network.name,
    coin: each.coin,
    expected: each.amount < 0n ? null : amount,
    actual: each.amount < 0n ? amount : null,
    reason:
      each.type === 'deposit'
        ? 'The deposit waits for its confirmations'
        : 'The transaction was mined and waits for its confirmations',
  }
}
