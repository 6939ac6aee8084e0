/** What an Ethereum node says, block by block, without any code of the platform's. */

import { z } from 'zod'
import { jsonRpc } from '../../local/parts/json-rpc.js'

const quantity = z.string().transform(BigInt)
const block = z.object({
  hash: z.string(),
  transactions: z.array(
    z.object({
      hash: z.string(),
      from: z.string(),
      to: z.string().nullable(),
      nonce: quantity,
      value: quantity,
      input: z.string(),
    }),
  ),
})

export interface EthereumTransaction {
  readonly hash: string
  /** Lower case. */
  readonly from: string
  readonly nonce: bigint
  /** Lower case: who got the ether, or the tokens where it is a transfer of such. */
  readonly paid: string
}

/** Selector of `transfer(address,uint256)`. */
const TRANSFER = '0xa9059cbb'

/** Every transaction of the chain, oldest first. */
export async function scanEthereum(rpc: string): Promise<EthereumTransaction[]> {
  const head = Number(await jsonRpc(rpc, 'eth_blockNumber', []))
  const found: EthereumTransaction[] = []
  for (let height = 0; height <= head; height += 1) {
    const { transactions } = block.parse(
      await jsonRpc(rpc, 'eth_getBlockByNumber', [`0x${height.toString(16)}`, true]),
    )
    for (const { hash, from, to, nonce, input } of transactions) {
      const paid = input.startsWith(TRANSFER) ? `0x${input.slice(34, 74)}` : (to ?? '')
      found.push({ hash, from: from.toLowerCase(), nonce, paid: paid.toLowerCase() })
    }
  }
  return found
}

/** Wei at an address. */
export async function etherOf(rpc: string, address: string): Promise<bigint> {
  return quantity.parse(await jsonRpc(rpc, 'eth_getBalance', [address, 'latest']))
}

/** Base units of a token at an address. */
export async function tokenOf(rpc: string, token: string, address: string): Promise<bigint> {
  const data = `0x70a08231${address.slice(2).toLowerCase().padStart(64, '0')}`
  return quantity.parse(await jsonRpc(rpc, 'eth_call', [{ to: token, data }, 'latest']))
}

/** The hash of a block; null when the chain is not so high. */
export async function ethereumHashAt(rpc: string, height: number): Promise<string | null> {
  const found = await jsonRpc(rpc, 'eth_getBlockByNumber', [`0x${height.toString(16)}`, false])
  return found === null ? null : z.object({ hash: z.string() }).parse(found).hash
}
