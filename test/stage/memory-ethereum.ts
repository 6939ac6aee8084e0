/** Makes the adapter of an Ethereum in memory: a test mines its blocks, and every transaction can be built. */

import { encodeFunctionData, erc20Abi } from 'viem'
import type { EvmAdapter } from '../../chains/adapter.js'
import { findCoin } from '../../domain/chain/network.js'
import type { ChainModel } from './chain-model.js'

/** Wei for each unit of gas of a first attempt. A replacement offers twice as much. */
const GAS_PRICE = 10n ** 9n
/** Gas of each transaction. */
const GAS = 60_000n
/** Balance of each address in each coin, in base units. */
const PLENTY = 10n ** 30n

/** @param real - Adapter that checks signed transactions. */
export function memoryEthereum(model: ChainModel, real: EvmAdapter): EvmAdapter {
  const { network } = real
  const prices = (wei: bigint) => ({
    gas: GAS.toString(),
    max_fee_per_gas: wei.toString(),
    max_priority_fee_per_gas: wei.toString(),
  })
  const call = (coin: string, to: string, amount: bigint) => {
    const { contract } = findCoin(network, coin)
    if (contract === null) return { to, value: amount.toString(), data: '0x' }
    const args = [to as `0x${string}`, amount] as const
    return {
      to: contract,
      value: '0',
      data: encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args }),
    }
  }
  const adapter: Pick<EvmAdapter, 'balance' | 'build' | 'replace'> = {
    balance: async () => PLENTY,
    build: async ({ from, derivationPath, coin, to, amount }) => ({
      kind: 'built',
      payload: {
        family: 'evm',
        network: network.name,
        chain_id: network.chainId,
        from,
        derivation_path: derivationPath,
        ...call(coin, to, amount),
        ...prices(GAS_PRICE),
      },
      maxFee: GAS * GAS_PRICE,
      chainNonce: 0,
    }),
    replace: async ({ purpose, from, derivationPath, nonce, call: repeated }) => ({
      kind: 'built',
      payload: {
        family: 'evm',
        network: network.name,
        chain_id: network.chainId,
        from,
        derivation_path: derivationPath,
        nonce,
        ...(purpose === 'cancel'
          ? { to: from, value: '0', data: '0x' }
          : { to: repeated.to, value: repeated.value, data: repeated.data }),
        ...prices(2n * GAS_PRICE),
      },
      maxFee: 2n * GAS * GAS_PRICE,
    }),
  }
  return Object.assign(Object.create(real) as EvmAdapter, model.adapter(), adapter)
}
