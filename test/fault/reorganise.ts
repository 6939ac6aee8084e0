/** Reorganises the local chains, in their own nodes. */

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { jsonRpc } from '../../local/parts/json-rpc.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { type NetworkName, nodeOf } from './rails.js'

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
  while ((await height()) <= tip) await mineAnother(rpc, facts.networks[network]?.flavour)
}

/**
 * Mines one block that differs from every other. Litecoin's node makes the same block twice when height, time,
 * payee and transactions are the same, and it refuses the block that was invalidated. The time stays the same
 * for as long as the chain is ahead of the clock. The node of btcd puts a random number into each block.
 */
async function mineAnother(rpc: string, flavour: string | undefined): Promise<void> {
  if (flavour === 'btcd') await jsonRpc(rpc, 'generate', [1])
  else await jsonRpc(rpc, 'generatetodescriptor', [1, `raw(6a10${randomBytes(16).toString('hex')})`])
}
