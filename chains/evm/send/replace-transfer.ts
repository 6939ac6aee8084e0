/** Prices a transaction that replaces others with the same nonce. */

import { getAddress, type Hex, isAddress } from 'viem'
import type { EvmNetwork } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { repriceGas } from '../../../domain/payouts/replacement.js'
import type { EvmReplaceRequest, EvmReplaceResult } from '../../adapter.js'
import { toBigInt } from '../quantity.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { expectResult } from '../rpc/expect-result.js'
import type { RpcCall } from '../rpc/rpc-call.js'
import { chooseFees } from './choose-fees.js'
import { FEE_MARKET_CALLS, readFeeMarket } from './fee-market.js'
import { boundL1Fee, l1FeeCalls, readL1Fee } from './l1-fee.js'
import { least } from './least.js'

/**
 * Percent of the estimated gas, as for payouts: a delegated account (EIP-7702) may need more than 21,000 for
 * a transfer to itself.
 */
const GAS_MARGIN_PERCENT = 125n

/**
 * Makes the payload of the next attempt. A payout keeps recipient, amount, calldata and gas; a cancelling
 * transaction sends 0 to itself. Both prices are at least an eighth above the replaced ones, and at least
 * what the next block asks.
 *
 * A payout stays inside the network's caps; a cancelling transaction is bound by its limit alone.
 *
 * @throws KeyturnError `INVALID_ADDRESS`, `DEPENDENCY_UNAVAILABLE`.
 */
export async function replaceTransfer(
  rpc: Rpc,
  network: EvmNetwork,
  request: EvmReplaceRequest,
): Promise<EvmReplaceResult> {
  const { purpose, from } = request
  if (!isAddress(from)) {
    throw new KeyturnError('INVALID_ADDRESS', `"${from.slice(0, 100)}" is no address on ${network.name}`, {
      details: { address: from.slice(0, 100), network: network.name },
    })
  }
  const self = { from, to: from, value: '0x0', data: '0x' as Hex }
  const estimate: RpcCall[] = purpose === 'cancel' ? [{ method: 'eth_estimateGas', params: [self] }] : []
  const { call: paid } = request
  const sized =
    purpose === 'cancel'
      ? { to: from, value: 0n, data: '0x' as Hex }
      : { to: paid.to, value: BigInt(paid.value), data: paid.data as Hex }
  return rpc.ask([...FEE_MARKET_CALLS, ...estimate, ...l1FeeCalls(network, sized)], ({ answers }) => {
    const l1Fee = boundL1Fee(readL1Fee(network, answers[answers.length - 1]))
    const market = readFeeMarket(answers[0], answers[1])
    const gas =
      purpose === 'cancel'
        ? (toBigInt(expectResult(answers[2], 'eth_estimateGas'), 'eth_estimateGas') * GAS_MARGIN_PERCENT +
            99n) /
          100n
        : BigInt(request.call.gas)
    const uncapped = { ...network.fees, maxFeePerGas: 1n << 200n, maxPriorityFeePerGas: 1n << 200n }
    const caps = purpose === 'cancel' ? null : network.fees
    const usual = chooseFees(market, request.priority, caps ?? uncapped)
    const limit = purpose === 'cancel' ? request.feeLimit : least(request.feeLimit, network.fees.maxTotal)
    const repriced = repriceGas(
      request.before,
      { ...usual, baseFee: market.baseFee },
      gas,
      limit - l1Fee,
      caps,
    )
    if (repriced.kind === 'too_high') return { kind: 'fee_too_high', fee: repriced.required + l1Fee }
    const { maxFeePerGas, maxPriorityFeePerGas } = repriced.prices
    const call = purpose === 'cancel' ? { to: getAddress(from), value: '0', data: '0x' } : request.call
    return {
      kind: 'built',
      payload: {
        family: 'evm',
        network: network.name,
        chain_id: network.chainId,
        from: getAddress(from),
        derivation_path: request.derivationPath,
        to: call.to,
        value: call.value,
        data: call.data,
        nonce: request.nonce,
        gas: gas.toString(),
        max_fee_per_gas: maxFeePerGas.toString(),
        max_priority_fee_per_gas: maxPriorityFeePerGas.toString(),
      },
      maxFee: gas * maxFeePerGas + l1Fee,
    }
  })
}
