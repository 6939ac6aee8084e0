/** Searches btcd's address index. */

import { z } from 'zod'
import { KeyturnError } from '../../../domain/errors.js'
import { type ParsedTransaction, parseTransaction } from '../parse/parse-transaction.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { NODE_CODE, NodeError } from '../rpc/node-error.js'

const PAGE = 100
const page = z.array(z.object({ hex: z.string(), confirmations: z.int().optional() }))

/**
 * Returns every mined transaction that pays or spends an address, from btcd's address index, oldest first.
 *
 * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` if the node has no such index.
 */
export async function* searchAddress(address: string, rpc: Rpc): AsyncGenerator<ParsedTransaction> {
  for (let skip = 0; ; skip += PAGE) {
    const found = await searchPage(address, skip, rpc)
    for (const { hex, confirmations } of found) {
      if ((confirmations ?? 0) > 0) yield parseTransaction(Buffer.from(hex, 'hex'))
    }
    if (found.length < PAGE) return
  }
}

/** Returns whether the address index has the address. `null` if the node has no index. */
export async function isAddressIndexed(address: string, rpc: Rpc): Promise<boolean | null> {
  try {
    await rpc.call('searchrawtransactions', [address, 0, 0, 1], z.array(z.string()))
    return true
  } catch (error) {
    if (!(error instanceof NodeError)) throw error
    if (isUnused(error)) return false
    if (hasNoIndex(error)) return null
    throw error
  }
}

async function searchPage(address: string, skip: number, rpc: Rpc): Promise<z.infer<typeof page>> {
  try {
    return await rpc.call('searchrawtransactions', [address, 1, skip, PAGE], page)
  } catch (error) {
    if (!(error instanceof NodeError)) throw error
    if (isUnused(error)) return []
    if (!hasNoIndex(error)) throw error
    throw new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `The ${rpc.network} node cannot say what an address holds; start btcd with --addrindex`,
      { details: { network: rpc.network }, cause: error },
    )
  }
}

function isUnused(error: NodeError): boolean {
  return error.nodeCode === NODE_CODE.invalidAddressOrKey && /no information/i.test(error.nodeMessage)
}

function hasNoIndex(error: NodeError): boolean {
  return error.isUnsupported || /addrindex|address index/i.test(error.nodeMessage)
}
