/** Reorganises the local chains, in their own nodes. */

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { jsonRpc } from '../../local/parts/json-rpc.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { type NetworkName, nodeOf } from './rails.js'

const RETRY_MS = 200
const MINE_MS = 20_000

/**
 * Replaces the newest blocks of a chain by others; in the Bitcoin family by one block more than before. Nodes
 * of the Bitcoin family mine the transactions of the old blocks again. Anvil forgets those transactions, and
 * the wallets send them again.
 */
export async function reorganise(facts: StackFile, network: NetworkName, depth: number): Promise<void> {
  const rpc = nodeOf(facts, network)
  if (network === 'ethereum' || network === 'polygon') {
    await jsonRpc(rpc, 'anvil_reorg', [depth, []])
    return
  }
  const height = async () => z.int().parse(await jsonRpc(rpc, 'getblockcount', []))
  const tip = await height()
  await jsonRpc(rpc, 'invalidateblock', [await jsonRpc(rpc, 'getblockhash', [tip - depth + 1])])
  const { flavour, faucet_address: address } = facts.networks[network] ?? {}
  for (const deadline = Date.now() + MINE_MS; (await height()) <= tip; ) {
    try {
      await (flavour === 'btcd'
        ? jsonRpc(rpc, 'generate', [1])
        : jsonRpc(rpc, 'generatetoaddress', [1, address]))
    } catch (error) {
      // A block made within the same second can be the one that was invalidated. The stack mines as well.
      if (Date.now() > deadline) throw error
      await sleep(RETRY_MS)
    }
  }
}
