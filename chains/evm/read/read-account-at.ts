/** Reads nonce and balances of an account at a block. */

import type { EvmNetwork } from '../../../domain/chain/network.js'
import { knownCoin } from '../../../domain/chain/network.js'
import type { AccountState, BlockRef } from '../../adapter.js'
import { toBigInt, toInteger, toQuantity } from '../quantity.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { RpcError } from '../rpc/rpc-error.js'
import { isBlock } from './read-nonce-at.js'
import { balanceOfCall, readTokenBalance } from './token-balance.js'

/**
 * Asks one endpoint at a time for nonce and balances at the height and for the block there, in one batch. The
 * answer counts only if that block is the expected one.
 *
 * @returns `null` if no endpoint has the block in its chain with its state. A token that refuses to say a
 * balance is left out.
 */
export function readAccountAt(
  rpc: Rpc,
  network: EvmNetwork,
  address: string,
  coins: readonly string[],
  { height, hash }: BlockRef,
): Promise<AccountState | null> {
  const tag = toQuantity(height)
  const block = { method: 'eth_getBlockByNumber', params: [tag, false] }
  const contracts = coins.map((coin) => knownCoin(network, coin).contract)
  return rpc.ask(
    [
      block,
      { method: 'eth_getTransactionCount', params: [address, tag] },
      ...contracts.map((contract) =>
        contract === null
          ? { method: 'eth_getBalance', params: [address, tag] }
          : balanceOfCall(contract, address, tag),
      ),
      block,
    ],
    ({ answers }) => {
      const nonce = answers[1]
      if (!isBlock(answers[0], hash) || !isBlock(answers.at(-1), hash)) return null
      if (nonce === undefined || nonce === null || nonce instanceof RpcError) return null
      const balances = new Map<string, bigint>()
      for (const [index, coin] of coins.entries()) {
        const answer = answers[index + 2]
        if (answer === undefined || answer === null || answer instanceof RpcError) continue
        balances.set(coin, contracts[index] === null ? toBigInt(answer, 'balance') : readTokenBalance(answer))
      }
      return { nonce: toInteger(nonce, 'nonce'), balances }
    },
    { until: (state) => state !== null },
  )
}
