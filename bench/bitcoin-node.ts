/**
 * A process that answers as a Bitcoin node does, from blocks in a file, because regtest cannot fill blocks
 * quickly.
 */

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { RawBlock } from './bitcoin-blocks.js'
import { childOptions, ready } from './child.js'

interface Call {
  readonly id: number
  readonly method: string
  readonly params: readonly unknown[]
}

const blocks = JSON.parse(readFileSync(childOptions<{ file: string }>().file, 'utf8')) as RawBlock[]
const byHash = new Map(blocks.map((block) => [block.hash, block]))
const byTxid = new Map(
  blocks.flatMap((block) => block.transactions.map(({ txid, hex }) => [txid, hex] as const)),
)

/** Answers a call. `undefined` means that the node has no such block or transaction. */
function answer({ method, params }: Call): unknown {
  switch (method) {
    case 'getblockchaininfo':
      return { blocks: blocks.length - 1, bestblockhash: blocks.at(-1)?.hash }
    case 'getblockhash':
      return blocks[Number(params[0])]?.hash
    case 'getblock': {
      const block = byHash.get(String(params[0]))
      return params[1] === 1 && block ? { tx: block.transactions.map(({ txid }) => txid) } : block?.hex
    }
    case 'getrawtransaction':
      return byTxid.get(String(params[0]))
    default:
      return undefined
  }
}

function reply(call: Call): unknown {
  const result = answer(call)
  return result === undefined
    ? { id: call.id, result: null, error: { code: -5, message: 'No such thing' } }
    : { id: call.id, result, error: null }
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Call | Call[]
    const text = JSON.stringify(Array.isArray(body) ? body.map(reply) : reply(body))
    response.writeHead(200, { 'content-type': 'application/json' }).end(text)
  })
})
server.listen(0, '127.0.0.1', () => ready({ port: (server.address() as AddressInfo).port }))
