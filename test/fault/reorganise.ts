/** Real reorganisations of the local chains. */

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { jsonRpc } from '../../local/parts/json-rpc.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { type NetworkName, nodeOf } from './rails.js'

const RETRY_MS = 200
const MINE_MS = 20_000

/**
 * Replaces the newest blocks of a chain by others; on the Bitcoin family by one more. What they held is mined again there; Anvil
 * forgets it, and the wallet that sent it sends it again.
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
      // Made within the same second, a block can be the very one that was invalidated; and the stack mines as well.
      if (Date.now() > deadline) throw error
      await sleep(RETRY_MS)
    }
  }
}
