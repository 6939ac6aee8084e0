/** Makes the payload of a payout: everything that the signer needs but the nonce. */

import { encodeFunctionData, erc20Abi, getAddress, type Hex, isAddress, zeroAddress } from 'viem'
import { type Coin, type EvmNetwork, knownCoin, nativeCoin } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { EvmPayload } from '../../../domain/signing/signer-protocol.js'
import type { EvmBuildRequest, EvmBuildResult } from '../../adapter.js'
import { toBigInt, toInteger, toQuantity } from '../quantity.js'
import { balanceOfCall, readTokenBalance } from '../read/token-balance.js'
import type { Answers } from '../rpc/create-endpoint.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { expectResult } from '../rpc/expect-result.js'
import type { RpcAnswer, RpcCall } from '../rpc/rpc-call.js'
import { EndpointFailure, RpcError } from '../rpc/rpc-error.js'
import { chooseFees, type FeeMarket, leastMaxFee } from './choose-fees.js'
import { FEE_MARKET_CALLS, readFeeMarket } from './fee-market.js'
import { boundL1Fee, l1FeeCalls, readL1Fee } from './l1-fee.js'
import { least } from './least.js'
import { revertReason } from './revert-reason.js'

/**
 * Percent of the estimated gas. State moves between estimate and block, and an unused part costs nothing.
 */
const GAS_MARGIN_PERCENT = 125n

interface Call {
  readonly to: string
  readonly value: bigint
  readonly data: Hex
}

/**
 * Builds a payout with one batch of calls: balances, nonce, fees, a simulation of the very call and its gas.
 *
 * The fee is gas × maxFeePerGas, and twice the parent chain's current share if there is one. It stays under
 * the request's limit and the network's `maxTotal`. If the usual headroom over the base fee does not fit, it
 * shrinks, but never below what the next block may ask for.
 *
 * @throws KeyturnError `INVALID_ADDRESS`, `INVALID_AMOUNT`, `UNSUPPORTED_COIN`, `DEPENDENCY_UNAVAILABLE`.
 */
export async function buildTransfer(
  rpc: Rpc,
  network: EvmNetwork,
  request: EvmBuildRequest,
): Promise<EvmBuildResult> {
  const coin = knownCoin(network, request.coin)
  const from = checkAddress(network, request.from)
  const call = makeCall(network, coin, checkAddress(network, request.to), request.amount)
  const transaction = { from, to: call.to, value: toQuantity(call.value), data: call.data }
  const calls: RpcCall[] = [
    { method: 'eth_getBalance', params: [from, 'latest'] },
    { method: 'eth_getTransactionCount', params: [from, 'latest'] },
    ...FEE_MARKET_CALLS,
    { method: 'eth_call', params: [transaction, 'latest'] },
    { method: 'eth_estimateGas', params: [transaction] },
    ...(coin.contract === null
      ? []
      : [balanceOfCall(coin.contract, from), { method: 'eth_getCode', params: [coin.contract, 'latest'] }]),
    ...l1FeeCalls(network, call),
  ]
  return rpc.ask(calls, (answers) => readAnswers(network, coin, request, from, call, answers))
}

function checkAddress(network: EvmNetwork, address: string): string {
  if (!isAddress(address) || getAddress(address) === zeroAddress) {
    throw new KeyturnError('INVALID_ADDRESS', `"${address.slice(0, 100)}" is no address on ${network.name}`, {
      details: { address: address.slice(0, 100), network: network.name },
    })
  }
  return getAddress(address)
}

function makeCall(network: EvmNetwork, coin: Coin, to: string, amount: bigint): Call {
  if (amount <= 0n) throw new KeyturnError('INVALID_AMOUNT', 'The amount must be more than 0')
  if (coin.contract === null) return { to, value: amount, data: '0x' }
  const contract = getAddress(coin.contract)
  if (to === contract) {
    throw new KeyturnError('INVALID_ADDRESS', `The contract of ${coin.name} itself cannot be paid`, {
      details: { address: to, network: network.name },
    })
  }
  const data = encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [getAddress(to), amount] })
  return { to: contract, value: 0n, data }
}

function readAnswers(
  network: EvmNetwork,
  coin: Coin,
  request: EvmBuildRequest,
  from: string,
  call: Call,
  { answers }: Answers,
): EvmBuildResult {
  const [balanceAnswer, nonceAnswer, history, suggestion, simulated, estimated, tokenBalance, code] = answers
  const balance = toBigInt(expectResult(balanceAnswer, 'eth_getBalance'), 'balance')
  const chainNonce = toInteger(expectResult(nonceAnswer, 'eth_getTransactionCount'), 'nonce')
  const market = readFeeMarket(history, suggestion)
  const native = nativeCoin(network).name

  // Missing funds come first: they make the simulation fail too, with a reason that says less.
  if (coin.contract !== null) {
    if (expectResult(code, 'eth_getCode') === '0x') {
      return { kind: 'would_revert', reason: `there is no contract at the address of ${coin.name}` }
    }
    const held = readTokenBalance(tokenBalance)
    if (held < request.amount) {
      return { kind: 'insufficient_funds', coin: coin.name, missing: request.amount - held }
    }
  } else if (balance < request.amount) {
    return { kind: 'insufficient_funds', coin: native, missing: request.amount - balance }
  }

  const refusal = simulationRefusal(coin, simulated) ?? executionRefusal(estimated, 'eth_estimateGas')
  if (refusal !== null) return { kind: 'would_revert', reason: refusal }
  const estimate = toBigInt(expectResult(estimated, 'eth_estimateGas'), 'eth_estimateGas')
  const gas = (estimate * GAS_MARGIN_PERCENT + 99n) / 100n

  const l1Fee = boundL1Fee(readL1Fee(network, answers[answers.length - 1]))
  const fees = fitFees(network, request, market, gas, l1Fee)
  if ('tooHigh' in fees) return { kind: 'fee_too_high', fee: fees.tooHigh }
  const maxFee = gas * fees.maxFeePerGas + l1Fee
  const needed = call.value + maxFee
  if (balance < needed) return { kind: 'insufficient_funds', coin: native, missing: needed - balance }
  return {
    kind: 'built',
    payload: payload(network, request, from, call, gas, fees),
    maxFee,
    chainNonce,
  }
}

/** Returns fees inside request and network, or the least fees that would suffice. */
function fitFees(
  network: EvmNetwork,
  request: EvmBuildRequest,
  market: FeeMarket,
  gas: bigint,
  l1Fee: bigint,
): { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint } | { tooHigh: bigint } {
  const usual = chooseFees(market, request.priority, network.fees)
  const needed = leastMaxFee(market, usual)
  const affordable = (least(request.feeLimit, network.fees.maxTotal) - l1Fee) / gas
  const maxFeePerGas = least(usual.maxFeePerGas, affordable)
  if (maxFeePerGas < needed) return { tooHigh: gas * needed + l1Fee }
  return { maxFeePerGas, maxPriorityFeePerGas: usual.maxPriorityFeePerGas }
}

/**
 * Returns why a simulated call failed. Returning nothing is success (USDT), returning false is not (old
 * tokens).
 */
function simulationRefusal(coin: Coin, simulated: RpcAnswer): string | null {
  const refusal = executionRefusal(simulated, 'eth_call')
  if (refusal !== null || coin.contract === null) return refusal
  if (simulated === '0x') return null
  if (typeof simulated === 'string' && /^0x0{63}1$/.test(simulated)) return null
  return `transfer of ${coin.name} does not return true`
}

function executionRefusal(answer: RpcAnswer, method: string): string | null {
  if (!(answer instanceof RpcError)) return null
  const reason = revertReason(answer)
  if (reason === null) throw new EndpointFailure(`${method} was refused with code ${answer.code}`)
  return reason
}

function payload(
  network: EvmNetwork,
  request: EvmBuildRequest,
  from: string,
  call: Call,
  gas: bigint,
  fees: { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint },
): Omit<EvmPayload, 'nonce'> {
  return {
    family: 'evm',
    network: network.name,
    chain_id: network.chainId,
    from,
    derivation_path: request.derivationPath,
    to: call.to,
    value: call.value.toString(),
    data: call.data,
    gas: gas.toString(),
    max_fee_per_gas: fees.maxFeePerGas.toString(),
    max_priority_fee_per_gas: fees.maxPriorityFeePerGas.toString(),
  }
}
