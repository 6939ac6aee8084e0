/**
 * Funds a wallet with coins that exist in the database alone, and builds transactions that spend them,
 * without a node.
 */

import { payments, Transaction } from 'bitcoinjs-lib'
import type { UtxoAdapter } from '../../chains/adapter.js'
import { bitcoinjsNetwork } from '../../chains/utxo/bitcoinjs-network.js'
import { type ParsedTransaction, parseTransaction } from '../../chains/utxo/parse/parse-transaction.js'
import { buildPayout } from '../../chains/utxo/spend/build-payout.js'
import { findNetwork } from '../../domain/chain/network.js'
import type { Stage } from './start-stage.js'

export interface FundingOptions {
  /** Returns further bytes of a coin's parent, as a transaction with many outputs has them. */
  readonly parentBytes?: (index: number) => number
  readonly kind?: 'hot' | 'master'
}

let made = 0

/**
 * Stores an output for each amount, mined at height 1 of a chain at height 100, and credits their sum in the
 * books.
 *
 * @returns `build` of an adapter whose node knows the parents of these outputs.
 */
export async function fundInBooks(
  stage: Stage,
  networkName: string,
  amounts: readonly bigint[],
  { parentBytes = () => 0, kind = 'hot' }: FundingOptions = {},
): Promise<UtxoAdapter['build']> {
  const { sql } = stage.api.database
  const network = findNetwork(stage.networks, networkName)
  if (network.family !== 'utxo') throw new Error(`${networkName} is not of the UTXO family`)
  const hot = await stage.wallet(networkName, kind)
  const script = Buffer.from(
    payments.p2wpkh({ address: hot.address, network: bitcoinjsNetwork(network) }).output ?? [],
  )
  const parents = new Map<string, ParsedTransaction>()
  await sql`
    INSERT INTO chain_cursors (network, height, block_hash, head_height) VALUES (${networkName}, 100, '00', 100)
    ON CONFLICT DO NOTHING`
  for (const [index, amount] of amounts.entries()) {
    const transaction = new Transaction()
    const seed = Buffer.alloc(32)
    seed.writeUInt32LE(++made)
    transaction.addInput(seed, 0)
    transaction.addOutput(script, amount)
    const padding = parentBytes(index)
    // Consensus allows such an output. A node does not relay it, but many small outputs weigh the same.
    if (padding > 0)
      transaction.addOutput(Buffer.concat([Buffer.from('6a', 'hex'), Buffer.alloc(padding)]), 0n)
    const parsed = parseTransaction(Buffer.from(transaction.toBuffer()))
    parents.set(parsed.txid, parsed)
    await sql`
      INSERT INTO utxos (network, txid, vout, merchant_id, address_id, amount, block_number)
      VALUES (${networkName}, ${parsed.txid}, 0, ${stage.api.merchantId}, ${hot.id}, ${amount.toString()}, 1)`
  }
  await stage.credit(
    networkName,
    network.coins[0]?.name ?? '',
    '',
    amounts.reduce((sum, amount) => sum + amount, 0n),
  )
  return (request) =>
    buildPayout(request, network, {
      fetch: async (txids) =>
        new Map(
          [...txids].flatMap((txid) => {
            const parent = parents.get(txid)
            return parent ? [[txid, parent] as const] : []
          }),
        ),
    })
}
