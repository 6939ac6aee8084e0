/** Reads an Ethereum node block by block, without any code of the platform. */

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
  /** Sender, in lower case. */
  readonly from: string
  readonly nonce: bigint
  /** Recipient of the ether, or of the tokens in a transfer of tokens, in lower case. */
  readonly paid: string
}

/** Selector of `transfer(address,uint256)`. */
const TRANSFER = '0xa9059cbb'

/** Returns every transaction of the chain, oldest first. */
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

/** Returns the wei at an address. @param at - Height of a block. Default: the newest. */
export async function etherOf(rpc: string, address: string, at?: number): Promise<bigint> {
  return quantity.parse(await jsonRpc(rpc, 'eth_getBalance', [address, blockOf(at)]))
}

/** Returns the base units of a token at an address. @param at - Height of a block. Default: the newest. */
export async function tokenOf(rpc: string, token: string, address: string, at?: number): Promise<bigint> {
  const data = `0x70a08231${address.slice(2).toLowerCase().padStart(64, '0')}`
  return quantity.parse(await jsonRpc(rpc, 'eth_call', [{ to: token, data }, blockOf(at)]))
}

function blockOf(height: number | undefined): string {
  return height === undefined ? 'latest' : `0x${height.toString(16)}`
}

/** Returns the hash of a block. `null` when the chain is not that high. */
export async function ethereumHashAt(rpc: string, height: number): Promise<string | null> {
  const found = await jsonRpc(rpc, 'eth_getBlockByNumber', [`0x${height.toString(16)}`, false])
  return found === null ? null : z.object({ hash: z.string() }).parse(found).hash
}
