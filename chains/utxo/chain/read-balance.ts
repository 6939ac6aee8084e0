/** Reads the balance of an address from a node. */

import { z } from 'zod'
import type { UtxoNetwork } from '../../../domain/chain/network.js'
import type { Rpc } from '../rpc/create-rpc.js'
import type { NodeFlavour } from '../rpc/detect-flavour.js'
import { scriptOfAddress } from '../script-of-address.js'
import { searchAddress } from './search-address.js'

/**
 * Time-out of a scan. Bitcoin Core reads its whole set of unspent outputs, which takes minutes on a main
 * network.
 */
const SCAN_TIMEOUT_MS = 600_000
const BASE_UNITS = 1e8

/** Returns what each address holds, confirmed, by one scan of Core's set of unspent outputs. */
export async function scanUnspent(
  addresses: readonly string[],
  rpc: Rpc,
): Promise<readonly { readonly scriptPubKey: string; readonly amount: number }[]> {
  const scan = await rpc.call(
    'scantxoutset',
    ['start', addresses.map((address) => `addr(${address})`)],
    z.object({
      success: z.literal(true),
      unspents: z.array(z.object({ scriptPubKey: z.string(), amount: z.number() })),
    }),
    { timeoutMs: SCAN_TIMEOUT_MS },
  )
  return scan.unspents
}

/**
 * Returns what an address holds in base units, confirmed, by the node's own books: Bitcoin Core's set of
 * unspent outputs, or btcd's address index. It serves audits, not every request.
 */
export async function readBalance(
  address: string,
  network: UtxoNetwork,
  rpc: Rpc,
  flavour: NodeFlavour,
): Promise<bigint> {
  const script = scriptOfAddress(address, network)
  if (flavour === 'core') {
    const unspents = await scanUnspent([address], rpc)
    // Each amount is a JSON number of whole coins with 8 decimals, exact after rounding below 2^53 base
    // units.
    return unspents.reduce((sum, { amount }) => sum + BigInt(Math.round(amount * BASE_UNITS)), 0n)
  }
  const unspent = new Map<string, bigint>()
  const spent = new Set<string>()
  for await (const transaction of searchAddress(address, rpc)) {
    for (const [index, output] of transaction.outputs.entries()) {
      if (output.script.equals(script)) unspent.set(`${transaction.txid}:${index}`, output.amount)
    }
    for (const input of transaction.inputs) spent.add(`${input.prevTxid}:${input.prevVout}`)
  }
  let balance = 0n
  for (const [outpoint, amount] of unspent) if (!spent.has(outpoint)) balance += amount
  return balance
}
