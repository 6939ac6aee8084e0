/** Finds the transactions of one block that pay an address, for the evidence of a missed deposit. */

import type { RpcNode } from '../rpc/open-node.js'
import { TRANSFER_TOPIC } from './transfer-topic.js'

/** Returns the ids, in the order of the block. */
export async function paymentsIn(
  node: RpcNode,
  { address, contract }: { readonly address: string; readonly contract: string | null },
  height: number,
): Promise<string[]> {
  const at = `0x${height.toString(16)}`
  if (contract !== null) {
    const topic = `0x${address.slice(2).toLowerCase().padStart(64, '0')}`
    const logs = (await node.ask('eth_getLogs', {
      fromBlock: at,
      toBlock: at,
      address: contract,
      topics: [TRANSFER_TOPIC, null, topic],
    })) as readonly { transactionHash?: unknown }[]
    return [...new Set(logs.map((log) => String(log.transactionHash)))]
  }
  const block = (await node.ask('eth_getBlockByNumber', at, true)) as {
    transactions?: readonly { hash?: unknown; to?: unknown; value?: unknown }[]
  }
  return (block.transactions ?? [])
    .filter(({ to, value }) => String(to).toLowerCase() === address.toLowerCase() && value !== '0x0')
    .map(({ hash }) => String(hash))
}
