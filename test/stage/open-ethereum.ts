/** Opens Ethereum on Anvil, which mines a block a second. */

import { createPublicClient, http, type PublicClient } from 'viem'
import type { ChainAdapter, EvmAdapter } from '../../chains/adapter.js'
import type { Networks } from '../../domain/chain/network.js'
import { evmClients } from '../../local/parts/usdt.js'
import { type TestAnvil, testAnvil } from '../support/anvil.js'
import { type TestUsdt, testUsdt } from '../support/usdt.js'
import { openRail, type Rail, type StageParts } from './open-rail.js'
import type { Stage } from './start-stage.js'
import { testNetworks } from './test-networks.js'

type Hex = `0x${string}`

export interface EthereumOptions extends StageParts {
  /**
   * Wei that the hot wallet holds on the chain; the books owe it to `owners` in equal shares. Default: none.
   */
  readonly wei?: bigint
  /** Base units of USDT, as `wei`. The token is deployed when this is set, also to 0. */
  readonly usdt?: bigint
  /** Users, or `''` for the merchant itself. Default: the merchant. */
  readonly owners?: readonly string[]
  /** Variables of `testNetworks` besides those that name the node. */
  readonly variables?: Record<string, string>
  /** Changes the networks, e.g. gives them rules of the treasury. */
  readonly change?: (networks: Networks) => Networks
}

export interface EthereumRail extends Rail<TestAnvil> {
  readonly anvil: TestAnvil
  /** @throws Error when the rail was opened without `usdt`. */
  readonly usdt: TestUsdt
  /** Reads the chain without the code under test. */
  readonly reader: PublicClient
  /** Lets the chain mine, or stops it. */
  mining(on: boolean): Promise<unknown>
  /** Sends wei from the faucet. @returns The transaction's hash. */
  send(to: string, value: bigint): Promise<Hex>
}

interface EthereumNode extends TestAnvil {
  readonly usdt: TestUsdt | null
}

/** Opens the rail; its hot wallet holds what the options say, on the chain and in the books. */
export async function openEthereum(options: EthereumOptions = {}): Promise<EthereumRail> {
  const { wei = 0n, usdt, owners = [''], variables, change = (networks) => networks, ...parts } = options
  const rail = await openRail<EthereumNode>({
    ...parts,
    async start() {
      const anvil = await testAnvil({ mining: 1 })
      return { ...anvil, usdt: usdt === undefined ? null : await testUsdt(anvil) }
    },
    networks: (node) =>
      change(
        testNetworks({
          ETHEREUM_ENABLED: 'true',
          ETHEREUM_RPC: node.rpc,
          ...(node.usdt ? { ETHEREUM_USDT: node.usdt.address } : {}),
          ...variables,
        }),
      ),
    async prepare(stage, node) {
      const { address } = await stage.wallet('ethereum', 'hot')
      if (wei > 0n) await node.call('anvil_setBalance', address, `0x${wei.toString(16)}`)
      if (usdt) await mint(node, address as Hex, usdt)
      await creditOwners(stage, owners, { eth: wei, usdt: usdt ?? 0n })
    },
  })
  const anvil = rail.node
  return {
    ...rail,
    anvil,
    reader: createPublicClient({ cacheTime: 0, transport: http(anvil.rpc) }),
    get usdt() {
      if (!anvil.usdt) throw new Error('The rail was opened without USDT')
      return anvil.usdt
    },
    mining: (on) => anvil.call('evm_setIntervalMining', on ? 1 : 0),
    send: (to, value) =>
      evmClients(anvil.rpc, anvil.chainId, anvil.faucetPrivateKey).wallet.sendTransaction({
        to: to as Hex,
        value,
      }),
  }
}

/**
 * Returns a wrapper for adapters, by which tests replace methods for a while.
 *
 * @param faults - Returns the methods that are replaced at the moment.
 */
export function replacing(faults: () => Partial<EvmAdapter>): (adapter: ChainAdapter) => ChainAdapter {
  return (adapter) =>
    new Proxy(adapter, {
      get: (target, name) =>
        (faults() as Record<string | symbol, unknown>)[name] ?? Reflect.get(target, name),
    })
}

async function mint(node: EthereumNode, to: Hex, amount: bigint): Promise<void> {
  if (!node.usdt) return
  const { reader } = evmClients(node.rpc, node.chainId, node.faucetPrivateKey)
  await reader.waitForTransactionReceipt({ hash: await node.usdt.mint(to, amount) })
}

async function creditOwners(
  stage: Stage,
  owners: readonly string[],
  amounts: Readonly<Record<string, bigint>>,
): Promise<void> {
  for (const owner of owners) {
    for (const [coin, amount] of Object.entries(amounts)) {
      if (amount > 0n) await stage.credit('ethereum', coin, owner, amount / BigInt(owners.length))
    }
  }
}
