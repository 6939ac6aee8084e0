/** Calls several EVM nodes: fail-over, secrets, and nodes of other chains. */

import { afterEach, describe, expect, test } from 'vitest'
import type { EvmAdapter } from '../../../chains/adapter.js'
import { createEvmAdapter } from '../../../chains/evm/create-evm-adapter.js'
import type { EvmNetwork } from '../../../domain/chain/network.js'
import { evmNetwork } from './lab.js'
import { Refusal, type ScriptedCall, type ScriptedNode, scriptedNode } from './scripted-node.js'

const word = (value: number) => `0x${Math.max(0, value).toString(16).padStart(64, '0')}`
const nodes: ScriptedNode[] = []
const adapters: EvmAdapter[] = []
afterEach(async () => {
  await Promise.all(adapters.splice(0).map((adapter) => adapter.close()))
  await Promise.all(nodes.splice(0).map((node) => node.stop()))
})

async function node(...script: Parameters<typeof scriptedNode>): Promise<ScriptedNode> {
  const started = await scriptedNode(...script)
  nodes.push(started)
  return started
}

function open(
  urls: readonly string[],
  failures: string[] = [],
  changes: Partial<EvmNetwork> = {},
  timeoutMs = 10_000,
): EvmAdapter {
  const adapter = createEvmAdapter(
    { ...evmNetwork(urls), traceBlock: false, ...changes },
    {
      timeoutMs,
      onEndpointFailure: (endpoint, reason) => failures.push(`${endpoint}: ${reason}`),
    },
  )
  adapters.push(adapter)
  return adapter
}

/** Answers for a chain of empty blocks up to a height; block n has hash n (and parent n − 1). */
function emptyChain(tip: number, fork = 0) {
  return ({ method, params }: ScriptedCall): unknown => {
    const height = params[0] === 'latest' ? tip : Number(params[0])
    if (height > tip) return null
    if (method === 'eth_getBlockReceipts' || method === 'trace_block') return []
    if (method === 'eth_getBlockByNumber')
      return {
        number: `0x${height.toString(16)}`,
        hash: word(height + fork),
        parentHash: word(height + fork - 1),
        timestamp: '0x1',
        transactions: [],
      }
    return new Refusal(-32601, 'Method not found')
  }
}

test('leaves a node that fails for the next one, and shows its credentials nowhere', async () => {
  const failures: string[] = []
  const broken = await node(
    () => null,
    (_calls, response) => {
      response.statusCode = 503
      response.end('key-0123456789abcdef is over its quota')
      return true
    },
  )
  const well = await node(emptyChain(7))
  const secretUrl = `${broken.url.replace('http://', 'http://user:hunter22@')}/v3/key-0123456789abcdef`
  const adapter = open([secretUrl, well.url], failures)
  expect(await adapter.head()).toEqual({ height: 7, hash: word(7) })
  expect(broken.batches[0]?.headers.authorization).toBe(
    `Basic ${Buffer.from('user:hunter22').toString('base64')}`,
  )
  expect(failures).toEqual(['endpoint 1 of ethereum: HTTP 503'])
  // While it rests the other one is asked first.
  await adapter.head()
  expect(broken.batches).toHaveLength(1)

  const alone = await open([secretUrl])
    .head()
    .catch((error: unknown) => error)
  expect(alone).toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE', retryable: true })
  expect(JSON.stringify([alone, String(alone), (alone as Error).stack, failures])).not.toMatch(
    /hunter22|0123456789abcdef/,
  )
})

test('takes out a secret that a node repeats in a refusal', async () => {
  const chatty = await node(() => new Refusal(-32000, 'no plan for key-0123456789abcdef'))
  const adapter = open([`${chatty.url}/v3/key-0123456789abcdef`])
  const error = await adapter
    .nonce('0x0000000000000000000000000000000000000001')
    .catch((each: unknown) => each)
  expect(JSON.stringify(error)).toContain('no plan for …')
})

test('uses no node of another chain', async () => {
  const other = await node(
    () => null,
    (calls, response) => {
      response.end(JSON.stringify(calls.map(({ id }) => ({ id, result: '0x1' }))))
      return true
    },
  )
  await expect(open([other.url]).head()).rejects.toMatchObject({
    details: { reasons: ['endpoint 1 of ethereum: it serves chain 1, not 31337'] },
  })
  const well = await node(emptyChain(3))
  expect((await open([other.url, well.url]).head()).height).toBe(3)
})

test('reports a retryable error without a listener, without an answer in time, and without JSON', async () => {
  const silent = await node(
    () => null,
    () => true,
  )
  const html = await node(
    () => null,
    (_calls, response) => {
      response.end('<html>')
      return true
    },
  )
  for (const url of ['http://127.0.0.1:1', silent.url, html.url])
    await expect(open([url], [], {}, 300).head()).rejects.toMatchObject({
      code: 'DEPENDENCY_UNAVAILABLE',
      retryable: true,
    })
})

test('takes a node that is behind for no reorg', async () => {
  const lagging = await node(emptyChain(5))
  const ahead = await node(emptyChain(9))
  const adapter = open([lagging.url, ahead.url])
  expect(await adapter.hashAt(8)).toBe(word(8))
  expect(await adapter.hashAt(10)).toBeNull()
  expect((await adapter.blocks(8, 8))[0]?.hash).toBe(word(8))
})

test('halves a range that is too much by size, refusal or time, and lets it grow again', async () => {
  let most = 2
  const sizes: number[] = []
  let refuse = 0
  const strict = await node(emptyChain(400), (calls, response) => {
    if (calls[0]?.method !== 'eth_getBlockByNumber') return false
    const blocks = calls.length / 2
    sizes.push(blocks)
    if (blocks <= most) return false
    refuse += 1
    if (refuse % 3 === 0) return true
    if (refuse % 3 === 1) response.statusCode = 413
    response.end(JSON.stringify({ id: null, error: { code: -32005, message: 'batch too large' } }))
    return true
  })
  const adapter = open([strict.url], [], {}, 1_000)
  let next = 0
  const read = async (until: number) => {
    while (next <= until) {
      const blocks = await adapter.blocks(next, 400)
      for (const block of blocks) expect(block.height).toBe(next++)
    }
  }
  await read(60)
  expect(refuse).toBeGreaterThan(3)
  most = 1_000
  await read(400)
  expect(Math.max(...sizes)).toBe(32)
  expect(next).toBe(401)
}, 60_000)

test('asks another node for one block that is too much for the first', async () => {
  const small = await node((call) =>
    call.method === 'eth_getBlockReceipts' ? new Refusal(-32003, 'response too large') : emptyChain(3)(call),
  )
  const large = await node(emptyChain(3))
  expect((await open([small.url, large.url]).blocks(2, 2))[0]?.hash).toBe(word(2))
})

test('waits longer for one block that exceeds the time-out, until it comes', async () => {
  const chain = emptyChain(4)
  const slow = await node(async (call) => {
    if (Number(call.params[0]) === 3) await new Promise((resolve) => setTimeout(resolve, 1_500))
    return chain(call)
  })
  const adapter = open([slow.url], [], {}, 400)
  const heights: number[] = []
  for (let attempt = 0; attempt < 20 && heights.length < 5; attempt++) {
    const blocks = await adapter.blocks(heights.length, 4).catch(() => [])
    heights.push(...blocks.map((block) => block.height))
  }
  expect(heights).toEqual([0, 1, 2, 3, 4])
  // Other questions keep their time-out.
  const started = Date.now()
  const mute = await node(
    () => null,
    () => true,
  )
  await expect(open([mute.url], [], {}, 400).head()).rejects.toThrow()
  expect(Date.now() - started).toBeLessThan(2_000)
}, 60_000)

test('asks again after answers from both sides of a reorg', async () => {
  let asked = 0
  const transaction = {
    hash: word(77),
    from: `0x${'11'.repeat(20)}`,
    to: `0x${'22'.repeat(20)}`,
    value: '0x5',
  }
  const torn = await node((call) => {
    if (call.method === 'eth_getBlockByNumber')
      return { ...(emptyChain(1)(call) as object), transactions: [transaction] }
    asked += 1
    const blockHash = asked < 3 ? word(99) : word(1)
    return [{ blockHash, transactionHash: word(77), status: '0x1', gasUsed: '0x5208', logs: [] }]
  })
  const [block] = await open([torn.url]).blocks(1, 1)
  expect(asked).toBe(3)
  expect(block?.transfers).toEqual([
    {
      txid: word(77),
      index: 0,
      payee: '22'.repeat(20),
      coin: 'eth',
      amount: 5n,
      origin: { payer: transaction.from, fee: null },
    },
  ])
})

test('cuts a range with a reorg inside where the blocks no longer follow', async () => {
  const forked = await node((call) =>
    call.method === 'eth_getBlockByNumber' && Number(call.params[0]) >= 2
      ? emptyChain(9, 100)(call)
      : emptyChain(9)(call),
  )
  const blocks = await open([forked.url]).blocks(0, 3)
  expect(blocks.map(({ hash }) => hash)).toEqual([word(0), word(1)])
})

test('asks once whether a node has trace_block, and takes an outage for no answer', async () => {
  const without = await node(emptyChain(3))
  const traced = await node((call) => emptyChain(3)(call))
  const refusing = await node((call) =>
    call.method === 'trace_block'
      ? new Refusal(-32601, 'the method trace_block does not exist')
      : emptyChain(3)(call),
  )
  const asked = (each: ScriptedNode) =>
    each.batches.flatMap(({ calls }) => calls).filter(({ method }) => method === 'trace_block').length
  const off = open([refusing.url], [], { traceBlock: null })
  await off.blocks(1, 1)
  await off.blocks(2, 2)
  expect(asked(refusing)).toBe(1)
  const on = open([traced.url], [], { traceBlock: null })
  await on.blocks(1, 1)
  await on.blocks(2, 2)
  expect(asked(traced)).toBe(3)
  const unsure = open([refusing.url, 'http://127.0.0.1:1'], [], { traceBlock: null })
  await expect(unsure.blocks(1, 1)).rejects.toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE' })
  expect(asked(without)).toBe(0)
})

test('uses no node whose traces leave a transaction out', async () => {
  const pruned = await node((call) => {
    if (call.method === 'trace_block') return []
    if (call.method === 'eth_getBlockReceipts')
      return [{ blockHash: word(1), transactionHash: word(77), status: '0x1', gasUsed: '0x5208', logs: [] }]
    return { ...(emptyChain(1)(call) as object), transactions: [word(77)] }
  })
  await expect(open([pruned.url], [], { traceBlock: true }).blocks(1, 1)).rejects.toMatchObject({
    details: { reasons: ['endpoint 1 of ethereum: trace_block left a transaction out'] },
  })
})

test('follows a node that is no archive without its missing traces, but only deep below its head', async () => {
  const chain = emptyChain(300)
  // It keeps the state of its newest 128 blocks.
  const pruned = await node((call) => {
    if (call.method === 'eth_blockNumber') return '0x12c'
    const height = Number(call.params[0])
    if (call.method === 'trace_block' && height < 300 - 128)
      return new Refusal(-32000, 'missing trie node 00ff')
    return chain(call)
  })
  const adapter = open([pruned.url], [], { traceBlock: true })
  const seen: { height: number; untraced: boolean }[] = []
  for (let next = 150; next <= 300; ) {
    const blocks = await adapter.blocks(next, Math.min(300, next + 99))
    seen.push(...blocks.map(({ height, untraced }) => ({ height, untraced: untraced === true })))
    next += blocks.length
  }
  expect(seen.map((block) => block.height)).toEqual(Array.from({ length: 151 }, (_, index) => 150 + index))
  const untraced = seen.filter((block) => block.untraced).map((block) => block.height)
  expect(untraced.slice(0, 22)).toEqual(Array.from({ length: 22 }, (_, index) => 150 + index))
  expect(Math.max(...untraced)).toBeLessThanOrEqual(200)

  const broken = await node((call) => {
    if (call.method === 'eth_blockNumber') return '0x12c'
    return call.method === 'trace_block' ? new Refusal(-32000, 'missing trie node 00ff') : chain(call)
  })
  await expect(open([broken.url], [], { traceBlock: true }).blocks(250, 260)).rejects.toMatchObject({
    code: 'DEPENDENCY_UNAVAILABLE',
  })
})

describe('a block with a transaction that the list of receipts leaves out', () => {
  const usdt = `0x${'dd'.repeat(20)}`
  const payee = `0x${'22'.repeat(20)}`
  const receipt = (hash: number, logs: unknown[], block = 1) => ({
    blockHash: word(block),
    transactionHash: word(hash),
    status: '0x1',
    gasUsed: '0x0',
    effectiveGasPrice: '0x0',
    logs,
  })
  const paid = {
    address: usdt,
    logIndex: '0x0',
    topics: [
      '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef',
      `0x${'0'.repeat(24)}${'11'.repeat(20)}`,
      `0x${'0'.repeat(24)}${payee.slice(2)}`,
    ],
    data: word(9),
  }
  /** Transactions 77 and 78; the list has the receipt of the first alone. */
  const polygon = (single: unknown, from: string) =>
    node((call) => {
      if (call.method === 'eth_getBlockReceipts') return [receipt(77, [])]
      if (call.method === 'trace_block')
        return [
          {
            blockHash: word(1),
            transactionHash: word(77),
            traceAddress: [],
            type: 'call',
            action: { callType: 'call', from: payee, to: payee, value: '0x0' },
          },
        ]
      if (call.method === 'eth_getTransactionReceipt') return single
      if (call.method === 'eth_getTransactionByHash') return { hash: word(78), from, nonce: '0x0' }
      return { ...(emptyChain(1)(call) as object), transactions: [word(77), word(78)] }
    })
  const options = {
    traceBlock: true,
    coins: [
      ...evmNetwork(['http://127.0.0.1:1']).coins,
      { name: 'usdt', decimals: 6, contract: usdt, dust: 0n },
    ],
  } as Partial<EvmNetwork>

  test('is completed by requesting that receipt', async () => {
    const bor = await polygon(receipt(78, [paid]), `0x${'0'.repeat(40)}`)
    const [block] = await open([bor.url], [], options).blocks(1, 1)
    expect(block?.txids).toEqual([word(77), word(78)])
    expect(block?.transfers).toMatchObject([{ txid: word(78), index: 1, coin: 'usdt', amount: 9n }])
  })

  test('is read without it if the configuration names its sender as the chain itself', async () => {
    const zero = `0x${'0'.repeat(40)}`
    const bor = await polygon(null, zero)
    const [block] = await open([bor.url], [], { ...options, systemSenders: [zero] }).blocks(1, 1)
    expect(block?.txids).toEqual([word(77), word(78)])
    expect(block?.transfers).toEqual([])
  })

  test('is refused otherwise', async () => {
    const bor = await polygon(null, `0x${'11'.repeat(20)}`)
    const failures: string[] = []
    const adapter = open([bor.url], failures, { ...options, systemSenders: [`0x${'0'.repeat(40)}`] })
    await expect(adapter.blocks(1, 1)).rejects.toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE' })
    expect(failures.at(-1)).toMatch(/no receipt of/)
    // Nor is a receipt of another block, which a reorg may have left.
    const torn = await polygon(receipt(78, [paid], 99), `0x${'0'.repeat(40)}`)
    await expect(open([torn.url], [], options).blocks(1, 1)).rejects.toMatchObject({
      code: 'DEPENDENCY_UNAVAILABLE',
    })
  })

  test('counts too if it is in the list of receipts and not among the hashes', async () => {
    const erigon = await node((call) => {
      if (call.method === 'eth_getBlockReceipts') return [receipt(77, []), receipt(78, [paid])]
      if (call.method === 'trace_block') return []
      return { ...(emptyChain(1)(call) as object), transactions: [word(77)] }
    })
    const [block] = await open([erigon.url], [], options).blocks(1, 1)
    expect(block?.transfers).toMatchObject([{ txid: word(78), coin: 'usdt', amount: 9n }])
  })
})
