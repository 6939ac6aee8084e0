/** Asks the nodes themselves what the merchant's addresses hold at given blocks. */

import { formatAmount } from '../../../domain/money.js'
import type { ProofBlock } from '../../../wire/period.js'
import { scanBitcoin } from '../scan-bitcoin.js'
import { etherOf, tokenOf } from '../scan-ethereum.js'
import type { Shop } from './open-shop.js'

const ASKED_AT_ONCE = 50

/** Returns what all addresses hold, as `coin amount`. @throws Error when a network has no block. */
export async function holdingsAt(shop: Shop, proof: readonly ProofBlock[]): Promise<string[]> {
  const { sql, facts, bitcoinRpc } = shop
  const heightOf = (network: string) => {
    const found = proof.find((each) => each.network === network)
    if (!found) throw new Error(`The proof has no block of ${network}`)
    return found.block_number
  }
  // Addresses of change are in no list of the API.
  const ours = await sql<{ network: string; address: string }[]>`
    SELECT network, address FROM addresses WHERE merchant_id = ${facts.merchant.id}`
  const on = (network: string) =>
    ours.filter((each) => each.network === network).map(({ address }) => address)
  const scan = await scanBitcoin(bitcoinRpc, heightOf('bitcoin'))
  const { rpc, tokens } = facts.networks.ethereum
  const accounts = on('ethereum')
  let ether = 0n
  let usdt = 0n
  for (let index = 0; index < accounts.length; index += ASKED_AT_ONCE) {
    const asked = accounts.slice(index, index + ASKED_AT_ONCE)
    const [ethers, usdts] = await Promise.all([
      Promise.all(asked.map((address) => etherOf(rpc, address, heightOf('ethereum')))),
      Promise.all(asked.map((address) => tokenOf(rpc, tokens.usdt.address, address, heightOf('ethereum')))),
    ])
    ether += ethers.reduce((sum, each) => sum + each, 0n)
    usdt += usdts.reduce((sum, each) => sum + each, 0n)
  }
  return [
    `btc ${formatAmount(scan.unspentAt(new Set(on('bitcoin'))), 8)}`,
    `eth ${formatAmount(ether, 18)}`,
    `usdt ${formatAmount(usdt, 6)}`,
  ]
}
