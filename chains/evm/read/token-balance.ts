/** Calls `balanceOf` of an ERC-20 token. */

import { encodeFunctionData, erc20Abi, getAddress } from 'viem'
import { expectResult } from '../rpc/expect-result.js'
import type { RpcAnswer, RpcCall } from '../rpc/rpc-call.js'
import { EndpointFailure } from '../rpc/rpc-error.js'

/**
 * Returns the call that asks a token for an address's balance, at the latest block unless `tag` names
 * another.
 */
export function balanceOfCall(contract: string, address: string, tag = 'latest'): RpcCall {
  const data = encodeFunctionData({ abi: erc20Abi, functionName: 'balanceOf', args: [getAddress(address)] })
  return { method: 'eth_call', params: [{ to: contract, data }, tag] }
}

/**
 * Reads its answer. An address without code answers nothing, which means a wrong contract, not a balance of
 * 0.
 */
export function readTokenBalance(answer: RpcAnswer): bigint {
  const result = expectResult(answer, 'balanceOf')
  if (typeof result !== 'string' || !/^0x[0-9a-fA-F]{64}$/.test(result)) {
    throw new EndpointFailure(
      'balanceOf gave no number; check the contract address in the network configuration',
    )
  }
  return BigInt(result)
}
