/** Finds which addresses the chain has used. */

import { z } from 'zod'
import type { UtxoNetwork } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Block, BlockRef } from '../../adapter.js'
import { payeeOfScript } from '../parse/payee-of-script.js'
import type { Rpc } from '../rpc/create-rpc.js'
import type { NodeFlavour } from '../rpc/detect-flavour.js'
import { NodeError } from '../rpc/node-error.js'
import { scriptOfAddress } from '../script-of-address.js'
import { scanUnspent } from './read-balance.js'
import { isAddressIndexed } from './search-address.js'

/**
 * Most blocks that the adapter scans itself if the node has no index: a regtest chain, or a young cursor.
 */
const MAX_OWN_SCAN = 5_000
const SCAN_TIMEOUT_MS = 600_000

interface ChainReader {
  readonly head: () => Promise<BlockRef>
  readonly blocks: (from: number, to: number) => Promise<Block[]>
}

/**
 * Returns which own addresses were ever paid, by the best means of the node: btcd's address index; Bitcoin
 * Core's `scanblocks` (25.0 and later with `blockfilterindex=1`); an own scan if the chain since the
 * network's start height is at most 5,000 blocks long; else Core's unspent outputs, which do not show an
 * address that was emptied again.
 *
 * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` on btcd without `--addrindex` if the chain is longer than
 * that.
 */
export async function findUsed(
  addresses: readonly string[],
  network: UtxoNetwork,
  rpc: Rpc,
  flavour: NodeFlavour,
  chain: ChainReader,
): Promise<boolean[]> {
  if (addresses.length === 0) return []
  const scripts = addresses.map((address) => scriptOfAddress(address, network))
  if (flavour === 'btcd') {
    const indexed = await askIndex(addresses, rpc)
    if (indexed) return indexed
  }
  const payees = scripts.map((script) => payeeOfScript(script, network.script))
  const start = network.startHeight ?? 0
  const relevant = flavour === 'core' ? await scanFilters(addresses, start, rpc) : null
  const head = await chain.head()
  const paid = new Set<string>()
  if (relevant) {
    for (const height of relevant) collect(await chain.blocks(height, height), paid)
  } else if (head.height - start < MAX_OWN_SCAN) {
    for (let next = start; next <= head.height; ) {
      const blocks = await chain.blocks(next, head.height)
      if (blocks.length === 0) break
      collect(blocks, paid)
      next += blocks.length
    }
  } else if (flavour === 'core') {
    const unspent = new Set((await scanUnspent(addresses, rpc)).map((each) => each.scriptPubKey))
    return scripts.map((script) => unspent.has(script.toString('hex')))
  } else {
    throw new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `The ${network.name} node cannot say whether an address was used; start btcd with --addrindex`,
      { details: { network: network.name } },
    )
  }
  return payees.map((payee) => payee !== null && paid.has(payee))
}

function collect(blocks: readonly Block[], paid: Set<string>): void {
  for (const block of blocks) for (const transfer of block.transfers) paid.add(transfer.payee)
}

async function askIndex(addresses: readonly string[], rpc: Rpc): Promise<boolean[] | null> {
  const answers: boolean[] = []
  for (const address of addresses) {
    const indexed = await isAddressIndexed(address, rpc)
    if (indexed === null) return null
    answers.push(indexed)
  }
  return answers
}

/**
 * Returns the heights of blocks that may pay one of the addresses (BIP-158 filters). `null` if the node
 * cannot search.
 */
async function scanFilters(addresses: readonly string[], start: number, rpc: Rpc): Promise<number[] | null> {
  const header = z.object({ height: z.int() })
  try {
    const scan = await rpc.call(
      'scanblocks',
      ['start', addresses.map((address) => `addr(${address})`), start],
      z.object({ relevant_blocks: z.array(z.string()) }),
      { timeoutMs: SCAN_TIMEOUT_MS },
    )
    const heights: number[] = []
    for (const hash of scan.relevant_blocks) {
      heights.push((await rpc.call('getblockheader', [hash, true], header)).height)
    }
    return heights
  } catch (error) {
    if (
      error instanceof NodeError &&
      (error.isUnsupported || /index is not enabled/i.test(error.nodeMessage))
    ) {
      return null
    }
    throw error
  }
}
