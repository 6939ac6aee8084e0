/** Reads what a transaction pays the parent chain on top of its gas, on OP-Stack chains. */

import { decodeFunctionResult, encodeFunctionData, type Hex, parseAbi, serializeTransaction } from 'viem'
import type { EvmNetwork } from '../../../domain/chain/network.js'
import { expectResult } from '../rpc/expect-result.js'
import type { RpcAnswer, RpcCall } from '../rpc/rpc-call.js'
import { EndpointFailure } from '../rpc/rpc-error.js'

const ORACLE = parseAbi(['function getL1Fee(bytes data) view returns (uint256)'])
/**
 * Factor on the current share. The parent chain's base fee doubles in six full blocks; an unused part is not
 * charged.
 */
const MARGIN = 2n
/** Values larger than any real one, so that the measured bytes are never fewer than the sent ones. */
const WIDE = { nonce: 0xff_ffff, gas: 0xff_ffffn, price: 0xff_ffff_ffff_ffffn } as const

/** Call, as far as its size matters. */
export interface SizedCall {
  readonly to: string
  readonly value: bigint
  readonly data: Hex
}

/** Returns the question to the oracle, or none if the chain takes no such fee. */
export function l1FeeCalls({ chainId, l1FeeOracle }: EvmNetwork, call: SizedCall): RpcCall[] {
  if (l1FeeOracle === null) return []
  const bytes = serializeTransaction({
    type: 'eip1559',
    chainId,
    nonce: WIDE.nonce,
    to: call.to as Hex,
    value: call.value,
    data: call.data,
    gas: WIDE.gas,
    maxFeePerGas: WIDE.price,
    maxPriorityFeePerGas: WIDE.price,
  })
  const data = encodeFunctionData({ abi: ORACLE, functionName: 'getL1Fee', args: [bytes] })
  return [{ method: 'eth_call', params: [{ to: l1FeeOracle, data }, 'latest'] }]
}

/** Reads its answer: the current fee in wei. 0 if there was no question. */
export function readL1Fee(network: EvmNetwork, answer: RpcAnswer | undefined): bigint {
  if (network.l1FeeOracle === null) return 0n
  const result = expectResult(answer, 'getL1Fee')
  if (typeof result !== 'string' || !/^0x[0-9a-fA-F]{64}$/.test(result)) {
    throw new EndpointFailure('getL1Fee gave no number; check l1_fee_oracle in the network configuration')
  }
  return decodeFunctionResult({ abi: ORACLE, functionName: 'getL1Fee', data: result as Hex })
}

/** Returns the highest fee to expect. */
export function boundL1Fee(fee: bigint): bigint {
  return fee * MARGIN
}
