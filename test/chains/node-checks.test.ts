/** Keeps nodes of other chains from being used. */

import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ChainAdapter } from '../../chains/adapter.js'
import { createEvmAdapter } from '../../chains/evm/create-evm-adapter.js'
import { createUtxoAdapter } from '../../chains/utxo/create-utxo-adapter.js'
import type { EvmNetwork, UtxoNetwork } from '../../domain/chain/network.js'
import { DEFAULT_NETWORKS_FILE, parseNetworks } from '../../networks/load-networks.js'
import { type TestAnvil, testAnvil } from '../support/anvil.js'
import { type TestBitcoin, testBtcd } from '../support/btcd.js'
import { evmNetwork } from './evm/lab.js'
import { type ScriptedCall, scriptedNode as scriptedEvm } from './evm/scripted-node.js'
import {
  REGTEST_GENESIS,
  type Script,
  ScriptedError,
  scriptedNode as scriptedUtxo,
} from './utxo/scripted-node.js'

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

function opened<T extends ChainAdapter>(adapter: T): T {
  open.push(() => adapter.close())
  return adapter
}

const shipped = readFileSync(DEFAULT_NETWORKS_FILE, 'utf8')
const named = (name: string, variables: Record<string, string>) => parseNetworks(shipped, variables).get(name)
const onMain = (name: 'bitcoin' | 'bitcoin-cash', url: string) => {
  const prefix = name.toUpperCase().replace('-', '_')
  return named(name, {
    [`${prefix}_ENABLED`]: 'true',
    [`${prefix}_CHAIN`]: 'main',
    [`${prefix}_RPC_URLS`]: url,
  }) as UtxoNetwork
}
const onRegtest = (url: string) => named('bitcoin', { BITCOIN_RPC_URLS: url }) as UtxoNetwork

const outOfRange = () => {
  throw new ScriptedError(-8, 'Block height out of range')
}
const GENESIS = '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f'
const AFTER_FORK = {
  bitcoin: '00000000000000000019f112ec0a9982926f1258cdcc558dd7c3b7e5dc7fa148',
  cash: '000000000000000000651ef99cb9fcbe0dadde1d424bd9f15ff20136191a5eec',
}
const LATER_ON_CASH = {
  556767: '0000000000000000004626ff6e3b936941d341c5932ece4357eeccac44e6d56c',
  661648: '0000000000000000029e471c41818d24b8b74c911071c4ef0b4a0509f9b5a8ce',
}

/** A node with Bitcoin's genesis block and some blocks after it. */
async function forked(blocks: Readonly<Record<number, string>>) {
  const node = await scriptedUtxo({
    getblockhash: (height: number) => (height === 0 ? GENESIS : (blocks[height] ?? outOfRange())),
    getblockchaininfo: () => ({ blocks: 900_000, bestblockhash: 'ff' }),
  } as Script)
  open.push(() => node.stop())
  return node
}

describe('a node of another chain of the Bitcoin family', () => {
  let btcd: TestBitcoin
  beforeAll(async () => {
    btcd = await testBtcd({ mature: 1 })
  })
  afterAll(() => btcd?.stop())

  test('is not used on regtest behind a configuration of the main chain', async () => {
    const adapter = opened(createUtxoAdapter(onMain('bitcoin', btcd.rpc)))
    const why = /another chain than bip122:000000000019d6689c085ae165831e93: its block 0 is 0f9188f13cb7/
    for (const ask of [() => adapter.head(), () => adapter.hashAt(1), () => adapter.blocks(1, 2)]) {
      await expect(ask()).rejects.toMatchObject({
        code: 'DEPENDENCY_UNAVAILABLE',
        retryable: true,
        message: expect.stringMatching(why),
      })
    }
    expect(await adapter.broadcast('00')).toMatchObject({ kind: 'unknown' })
    expect(await adapter.inspect()).toEqual([
      { endpoint: 1, state: 'wrong_chain', reason: expect.stringMatching(why) },
    ])
  })

  test('leaves the right node beside it in use', async () => {
    const other = await forked({})
    const adapter = opened(createUtxoAdapter(onRegtest(`${other.url},${btcd.rpc}`)))
    expect((await adapter.head()).height).toBe(101)
    expect(other.methods).toEqual(['getblockhash'])
    const reports = await adapter.inspect()
    expect(reports.map(({ endpoint, state }) => [endpoint, state])).toEqual([
      [1, 'wrong_chain'],
      [2, 'ok'],
    ])
  })

  test('is distinguished by the blocks after the fork, as Bitcoin Cash from Bitcoin', async () => {
    const bitcoin = await forked({ 478559: AFTER_FORK.bitcoin })
    const cash = await forked({ 478559: AFTER_FORK.cash, ...LATER_ON_CASH })
    const head = (name: 'bitcoin' | 'bitcoin-cash', { url }: { url: string }) =>
      opened(createUtxoAdapter(onMain(name, url))).head()
    await expect(head('bitcoin-cash', bitcoin)).rejects.toThrow(
      /block 478559 is 00000000000000000019f112ec0a99/,
    )
    await expect(head('bitcoin', cash)).rejects.toThrow(/block 478559 is 000000000000000000651ef99cb9fcbe/)
    expect((await head('bitcoin-cash', cash)).height).toBe(900_000)
    expect((await head('bitcoin', bitcoin)).height).toBe(900_000)
  })

  test('is awaited if it has not reached the fork and cannot be identified', async () => {
    const young = await forked({})
    const adapter = opened(createUtxoAdapter(onMain('bitcoin-cash', young.url)))
    await expect(adapter.head()).rejects.toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE' })
    expect(await adapter.inspect()).toEqual([
      { endpoint: 1, state: 'unreachable', reason: expect.stringMatching(/has not reached block 478559/) },
    ])
  })

  test('is found after a reconnection, before its answer counts', async () => {
    let genesis = REGTEST_GENESIS
    const node = await scriptedUtxo({
      getblockhash: () => genesis,
      getblockchaininfo: () => ({ blocks: 0, bestblockhash: genesis }),
    })
    open.push(() => node.stop())
    const adapter = opened(createUtxoAdapter(onRegtest(node.url), { retryEndpointMs: 0 }))
    const checks = () => node.methods.filter((method) => method === 'getblockhash').length
    // Once its connections are open, nothing is asked twice.
    for (let use = 0; use < 8; use++) await adapter.head()
    const before = checks()
    for (let use = 0; use < 4; use++) await adapter.head()
    expect(checks()).toBe(before)
    node.disconnect()
    genesis = GENESIS
    await expect(adapter.head()).rejects.toThrow(/another chain|No bitcoin node answers/)
    await expect(adapter.head()).rejects.toThrow(/another chain/)
    genesis = REGTEST_GENESIS
    expect((await adapter.head()).height).toBe(0)
  })

  test('is refused by name without a transaction index', async () => {
    const node = await scriptedUtxo({
      getblockchaininfo: () => ({ blocks: 5, bestblockhash: 'aa' }),
      getblock: () => ({ tx: ['bb'] }),
      getrawtransaction: () => {
        throw new ScriptedError(-5, 'No such mempool transaction. Use -txindex to enable blockchain queries')
      },
    })
    open.push(() => node.stop())
    const adapter = opened(createUtxoAdapter(onRegtest(node.url)))
    await expect(adapter.head()).rejects.toThrow(/start it with txindex=1/)
    expect(await adapter.inspect()).toMatchObject([{ state: 'no_transaction_lookup' }])
  })
})

describe('a node of another EVM chain', () => {
  let anvil: TestAnvil
  let genesisHash: string
  beforeAll(async () => {
    anvil = await testAnvil()
    await anvil.mine(3)
    const block = (await anvil.call('eth_getBlockByNumber', '0x0', false)) as { hash: string }
    genesisHash = block.hash
  })
  afterAll(() => anvil?.stop())

  const on = (url: string, changes: Partial<EvmNetwork> = {}) =>
    opened(createEvmAdapter({ ...evmNetwork([url]), traceBlock: false, ...changes }))

  test('is not used with the same chain id and another genesis block', async () => {
    const other = `0x${'ab'.repeat(32)}`
    const adapter = on(anvil.rpc, { genesisHash: other })
    const why = `its block 0 is ${genesisHash}, not ${other}`
    await expect(adapter.head()).rejects.toMatchObject({ message: expect.stringContaining(why) })
    expect(await adapter.inspect()).toEqual([
      { endpoint: 1, state: 'wrong_chain', reason: expect.stringContaining(why) },
    ])
    expect((await on(anvil.rpc, { genesisHash }).head()).height).toBe(3)
  })

  test('is found by the genesis block of known chains in the networks file', () => {
    const main = named('ethereum', { ETHEREUM_CHAIN_ID: '1' }) as EvmNetwork
    expect(main.genesisHash).toBe('0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3')
    expect((named('ethereum', {}) as EvmNetwork).genesisHash).toBeNull()
  })

  test('is found after a reconnection, before its answer counts', async () => {
    let hash = `0x${'01'.repeat(32)}`
    const node = await scriptedEvm(({ params }) => ({ number: params[0] === '0x0' ? '0x0' : '0x7', hash }))
    open.push(() => node.stop())
    const adapter = on(node.url, { genesisHash: hash })
    const checks = () => node.batches.filter(({ calls }) => calls[0]?.method === 'eth_chainId').length
    for (let use = 0; use < 8; use++) await adapter.head()
    const before = checks()
    for (let use = 0; use < 4; use++) await adapter.head()
    expect(checks()).toBe(before)
    node.disconnect()
    hash = `0x${'02'.repeat(32)}`
    await expect(adapter.head()).rejects.toThrow(/another chain of id 31337/)
    expect(checks()).toBeGreaterThan(before)
  })
})

describe('an EVM node that cannot find transactions', () => {
  const hashOf = (height: number) => `0x${height.toString(16).padStart(64, '0')}`
  /** Each block has one transaction; those below `indexedFrom` are in no index. */
  function chain(indexedFrom: number, receiptsFrom = indexedFrom) {
    return ({ method, params }: ScriptedCall): unknown => {
      const height = params[0] === 'latest' ? 5_000 : Number(params[0])
      switch (method) {
        case 'eth_blockNumber':
          return '0x1388'
        case 'eth_getBlockByNumber':
          return { number: `0x${height.toString(16)}`, hash: hashOf(height), transactions: [hashOf(height)] }
        case 'eth_getTransactionByHash':
          return height < indexedFrom ? null : { hash: params[0] }
        case 'eth_getTransactionReceipt':
          return height < receiptsFrom ? null : { transactionHash: params[0] }
        default:
          return null
      }
    }
  }
  async function inspect(...parameters: Parameters<typeof chain>) {
    const node = await scriptedEvm(chain(...parameters))
    open.push(() => node.stop())
    const adapter = opened(createEvmAdapter({ ...evmNetwork([node.url]), traceBlock: false }))
    const [report] = await adapter.inspect()
    return { report, head: () => adapter.head() }
  }

  test('is refused at the tip, deeper down, and for receipts alone', async () => {
    const fine = await inspect(0)
    expect(fine.report).toEqual({ endpoint: 1, state: 'ok', reason: null })
    expect((await fine.head()).height).toBe(5_000)
    const incomplete: [number, number?][] = [[9_999], [4_000], [0, 9_999]]
    for (const parameters of incomplete) {
      const { report, head } = await inspect(...parameters)
      expect(report).toMatchObject({
        state: 'no_transaction_lookup',
        reason: expect.stringMatching(/cannot look up transactions by their hash .*of its own block/),
      })
      await expect(head()).rejects.toThrow(/cannot look up transactions by their hash/)
    }
  })

  test('is used on a chain without a transaction', async () => {
    const anvil = await testAnvil()
    open.push(() => anvil.stop())
    await anvil.mine(2)
    const adapter = opened(createEvmAdapter(evmNetwork([anvil.rpc])))
    expect(await adapter.inspect()).toEqual([{ endpoint: 1, state: 'ok', reason: null }])
  })
})
