/** Reads an account's nonce at a block. */

import type { BlockRef } from '../../adapter.js'
import { toInteger, toQuantity, toRecord } from '../quantity.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { RpcError } from '../rpc/rpc-error.js'

/**
 * Asks one endpoint at a time for the account's next nonce at the height and for the block there, in one
 * batch. The answer counts only if that block is the expected one.
 *
 * @returns `null` if no endpoint has the block in its chain with its state. Nodes keep the state of the last
 * 128 blocks.
 */
export function readNonceAt(rpc: Rpc, address: string, { height, hash }: BlockRef): Promise<number | null> {
  const tag = toQuantity(height)
  return rpc.ask(
    [
      { method: 'eth_getBlockByNumber', params: [tag, false] },
      { method: 'eth_getTransactionCount', params: [address, tag] },
      { method: 'eth_getBlockByNumber', params: [tag, false] },
    ],
    ({ answers: [before, nonce, after] }) => {
      if (nonce === undefined || nonce === null || nonce instanceof RpcError) return null
      return isBlock(before, hash) && isBlock(after, hash) ? toInteger(nonce, 'nonce') : null
    },
    { until: (nonce) => nonce !== null },
  )
}

/** Returns whether an answer of `eth_getBlockByNumber` is the block with this hash. */
export function isBlock(answer: unknown, hash: string): boolean {
  return (
    answer !== undefined &&
    answer !== null &&
    !(answer instanceof RpcError) &&
    toRecord(answer, 'block').hash === hash
  )
}
