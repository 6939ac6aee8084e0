/** Calls several nodes of the Bitcoin family. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createRpc } from '../../../../chains/utxo/rpc/create-rpc.js'
import { detectFlavour } from '../../../../chains/utxo/rpc/detect-flavour.js'
import { NodeError } from '../../../../chains/utxo/rpc/node-error.js'
import { ScriptedError, scriptedNode } from '../scripted-node.js'

const open: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.stop()
})

async function node(...parameters: Parameters<typeof scriptedNode>) {
  const made = await scriptedNode(...parameters)
  open.push(made)
  return made
}

function rpcOf(urls: string[], timeoutMs = 2_000) {
  const rpc = createRpc('bitcoin', urls, { timeoutMs })
  open.push({ stop: () => rpc.close() })
  return rpc
}

const SILENT = 'http://alice:secret-password@127.0.0.1:1/'

test('sends the credentials of the URL, and its path', async () => {
  const { url, headers } = await node({ getblockcount: () => 7 })
  expect(await rpcOf([url]).call('getblockcount', [], z.int())).toBe(7)
  expect(headers[0]?.authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`)
})

test('asks the next node when one does not answer, and the one that answered first from then on', async () => {
  const busy = await node({}, 503)
  const good = await node({ getblockcount: () => 7 })
  const rpc = rpcOf([SILENT, busy.url, good.url])
  expect(await rpc.call('getblockcount', [], z.int())).toBe(7)
  expect(await rpc.call('getblockcount', [], z.int())).toBe(7)
  expect(busy.headers).toHaveLength(1)
  expect(good.headers).toHaveLength(2)
})

test('asks the next node while one is still starting', async () => {
  const starting = await node({
    getblockcount: () => {
      throw new ScriptedError(-28, 'Loading block index…')
    },
  })
  const good = await node({ getblockcount: () => 7 })
  expect(await rpcOf([starting.url, good.url]).call('getblockcount', [], z.int())).toBe(7)
})

test('gives up on a node that hangs', async () => {
  const hanging = createServer(() => {})
  await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve))
  open.push({
    stop: () =>
      new Promise((resolve) => {
        hanging.closeAllConnections()
        hanging.close(() => resolve())
      }),
  })
  const url = `http://127.0.0.1:${(hanging.address() as AddressInfo).port}`
  const good = await node({ getblockcount: () => 7 })
  let unanswered = 0
  const rpc = rpcOf([url, good.url], 100)
  await rpc.call('getblockcount', [], z.int(), { onUnanswered: () => unanswered++ })
  expect(unanswered).toBe(1)
})

test('says that no node answers, without a credential in the error', async () => {
  const busy = await node({}, 503)
  const error = await rpcOf([SILENT, busy.url])
    .call('getblockcount', [], z.int())
    .catch((caught) => caught)
  expect(error).toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE', retryable: true })
  expect(error.details.failures).toHaveLength(2)
  const shown = JSON.stringify({
    ...error,
    message: error.message,
    stack: error.stack,
    cause: String(error.cause),
  })
  expect(shown).not.toMatch(/alice|secret-password|p@ss|p%40ss|Basic/)
})

test('does not take a node’s refusal for an outage', async () => {
  const first = await node({
    getblock: () => {
      throw new ScriptedError(-5, 'Block not found')
    },
  })
  const second = await node({ getblock: () => '00' })
  const error = await rpcOf([first.url, second.url])
    .call('getblock', [], z.string())
    .catch((caught) => caught)
  expect(error).toBeInstanceOf(NodeError)
  expect(error).toMatchObject({ nodeCode: -5, nodeMessage: 'Block not found' })
  expect(second.headers).toEqual([])
})

test('puts the answers of a batch, errors among them, in the order of its calls', async () => {
  const { url, headers } = await node({
    getblockhash: (height: number) => {
      if (height > 2) throw new ScriptedError(-8, 'Block height out of range')
      return `hash ${height}`
    },
  } as Parameters<typeof scriptedNode>[0])
  const answers = await rpcOf([url]).batch('getblockhash', [[0], [3], [1]], z.string())
  expect(answers[0]).toBe('hash 0')
  expect(answers[1]).toBeInstanceOf(NodeError)
  expect(answers[2]).toBe('hash 1')
  expect(headers).toHaveLength(1)
})

test('refuses an answer of another shape', async () => {
  const { url } = await node({ getblockcount: () => 'seven' })
  await expect(rpcOf([url]).call('getblockcount', [], z.int())).rejects.toMatchObject({
    code: 'DEPENDENCY_UNAVAILABLE',
  })
})

test('distinguishes Bitcoin Core and its relatives from btcd', async () => {
  const core = await node({ getnetworkinfo: () => ({ subversion: '/Satoshi:29.0.0/' }) })
  const litecoin = await node({ getnetworkinfo: () => ({ subversion: '/LitecoinCore:0.21.2.1/' }) })
  const btcd = await node({
    getnetworkinfo: () => {
      throw new ScriptedError(-1, 'Command unimplemented')
    },
    version: () => ({ btcdjsonrpcapi: { versionstring: '1.3.0' } }),
  })
  expect(await detectFlavour(rpcOf([core.url]))).toBe('core')
  expect(await detectFlavour(rpcOf([litecoin.url]))).toBe('core')
  expect(await detectFlavour(rpcOf([btcd.url]))).toBe('btcd')
})

test('reads errors that come without a result, as JSON-RPC 2.0 has them (Bitcoin Core from 28 on)', async () => {
  const server = createServer((_request, response) => {
    response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code: -8, message: 'out of range' } }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push({ stop: () => new Promise((resolve) => server.close(() => resolve())) })
  const { port } = server.address() as AddressInfo
  const call = rpcOf([`http://127.0.0.1:${port}`]).call('getblockhash', [9], z.string())
  await expect(call).rejects.toMatchObject({ nodeCode: -8, nodeMessage: 'out of range' })
})
