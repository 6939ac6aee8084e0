/** Starts a chain of a test's own with contracts that move value in every way, and an adapter on it. */

import { type Address, encodeFunctionData, getContractAddress, type Hex } from 'viem'
import type { EvmAdapter, Transfer } from '../../../chains/adapter.js'
import { createEvmAdapter } from '../../../chains/evm/create-evm-adapter.js'
import type { RpcOptions } from '../../../chains/evm/rpc/create-rpc.js'
import type { EvmNetwork } from '../../../domain/chain/network.js'
import { parseNetworks } from '../../../networks/load-networks.js'
import { type TestAnvil, testAnvil } from '../../support/anvil.js'
import { type TestUsdt, testUsdt } from '../../support/usdt.js'
import { type Contract, compileLab } from './compile-lab.js'

/** Anvil's account 0. */
export const FAUCET: Address = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'

/** Returns an EVM network on a node. */
export function evmNetwork(
  rpcUrls: readonly string[],
  tokens: Readonly<Record<string, string>> = {},
  options: Partial<Pick<EvmNetwork, 'traceBlock' | 'fees' | 'chainId'>> = {},
): EvmNetwork {
  const listed = Object.entries(tokens).map(
    ([name, contract]) => `${name}: { contract: "${contract}", decimals: 6 }`,
  )
  const text = `
networks:
  ethereum:
    family: evm
    chain_id: 31337
    coin: { name: eth, decimals: 18 }
    derivation: { purpose: 44, coin_type: 60 }
    rpc_urls: "${rpcUrls.join(',')}"
    confirmations: 3
    block_time_seconds: 1
    fees: { max_fee_gwei: 500, max_priority_fee_gwei: 50, max_total: "0.05" }
    tokens: { ${listed.join(', ')} }
`
  const network = parseNetworks(text).get('ethereum')
  if (network?.family !== 'evm') throw new Error('no EVM network')
  return { ...network, ...options }
}

export interface Lab {
  readonly anvil: TestAnvil
  readonly usdt: TestUsdt
  readonly adapter: EvmAdapter
  readonly network: EvmNetwork
  readonly contracts: { readonly lab: Address; readonly fee: Address; readonly lying: Address }
  /** Creates another adapter on the same chain. */
  open(network?: Partial<EvmNetwork>, options?: RpcOptions): EvmAdapter
  /**
   * Sends from the faucet without waiting for a block; gas is given, so that failing transactions are mined
   * too.
   */
  send(transaction: { to?: string; value?: bigint; data?: Hex; from?: Address }): Promise<Hex>
  /** Calls a function of the transfer lab. */
  callLab(functionName: string, args: readonly unknown[], value?: bigint): Promise<Hex>
  /** Mines everything that waits into one block, and returns it as the adapter sees it. */
  mineBlock(): ReturnType<Lab['lastBlock']>
  lastBlock(adapter?: EvmAdapter): Promise<Awaited<ReturnType<EvmAdapter['blocks']>>[number]>
  stop(): Promise<void>
}

/** Starts a chain that mines only when a test says so, with USDT, a fee-taking and a lying token. */
export async function startLab(): Promise<Lab> {
  const anvil = await testAnvil({ mining: 'manual' })
  const usdt = await testUsdt(anvil)
  const compiled = compileLab()
  const send: Lab['send'] = async ({ to, value = 0n, data = '0x', from = FAUCET }) =>
    (await anvil.call('eth_sendTransaction', {
      from,
      ...(to === undefined ? {} : { to }),
      value: `0x${value.toString(16)}`,
      data,
      gas: '0x2dc6c0',
    })) as Hex
  const deploy = async (name: string): Promise<Address> => {
    const nonce = BigInt((await anvil.call('eth_getTransactionCount', FAUCET, 'pending')) as Hex)
    await send({ data: contract(compiled, name).bytecode })
    return getContractAddress({ from: FAUCET, nonce })
  }
  const contracts = {
    lab: await deploy('TransferLab'),
    fee: await deploy('FeeToken'),
    lying: await deploy('LyingToken'),
  }
  await anvil.mine()
  const network = evmNetwork([anvil.rpc], {
    usdt: usdt.address,
    feetoken: contracts.fee,
    lyingtoken: contracts.lying,
  })
  const adapters: EvmAdapter[] = []
  const open: Lab['open'] = (changes = {}, options = {}) => {
    const adapter = createEvmAdapter({ ...network, ...changes }, options)
    adapters.push(adapter)
    return adapter
  }
  const adapter = open()
  const lastBlock: Lab['lastBlock'] = async (through = adapter) => {
    const { height } = await through.head()
    const [block] = await through.blocks(height, height)
    if (!block) throw new Error('no block')
    return block
  }
  return {
    anvil,
    usdt,
    adapter,
    network,
    contracts,
    open,
    send,
    lastBlock,
    callLab: (functionName, args, value = 0n) =>
      send({
        to: contracts.lab,
        value,
        data: encodeFunctionData({ abi: contract(compiled, 'TransferLab').abi, functionName, args }),
      }),
    async mineBlock() {
      await anvil.mine()
      return lastBlock()
    },
    async stop() {
      await Promise.all(adapters.map((each) => each.close()))
      await anvil.stop()
    },
  }
}

/** Returns the transfers of a block in short: `txid index payee coin amount`. */
export function shortly(transfers: readonly Transfer[]): string[] {
  return transfers.map(
    ({ txid, index, payee, coin, amount }) => `${txid} ${index} 0x${payee} ${coin} ${amount}`,
  )
}

function contract(compiled: Record<string, Contract>, name: string): Contract {
  const found = compiled[name]
  if (!found) throw new Error(`${name} was not compiled`)
  return found
}
