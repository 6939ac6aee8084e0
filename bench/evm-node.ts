/**
 * A process that answers as an EVM node does. It asks the real node once for each call, and from then on
 * repeats the recorded answer, so that reading a chain costs what it costs with the node elsewhere.
 */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { childOptions, ready } from './child.js'

interface Call {
  readonly id: number
  readonly method: string
  readonly params?: readonly unknown[]
}

const { rpc } = childOptions<{ rpc: string }>()
/** Answers by call: JSON from after the id on. */
const recorded = new Map<string, Buffer>()

const keyOf = ({ method, params }: Call): string => JSON.stringify([method, params])

async function record(calls: readonly Call[]): Promise<void> {
  const response = await fetch(rpc, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(calls.map((call, id) => ({ ...call, jsonrpc: '2.0', id }))),
  })
  for (const { id, jsonrpc: _, ...answer } of (await response.json()) as (Call & { jsonrpc: string })[]) {
    const call = calls[id]
    if (call) recorded.set(keyOf(call), Buffer.from(JSON.stringify(answer).slice(1)))
  }
}

function replyTo(call: Call): Buffer[] {
  const answer = recorded.get(keyOf(call))
  if (!answer) throw new Error(`The node did not answer ${call.method}`)
  return [Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(call.id)},`), answer]
}

async function reply(body: Call | readonly Call[]): Promise<Buffer> {
  const calls = Array.isArray(body) ? (body as readonly Call[]) : [body as Call]
  const unknown = calls.filter((call) => !recorded.has(keyOf(call)))
  if (unknown.length > 0) await record(unknown)
  if (!Array.isArray(body)) return Buffer.concat(replyTo(body as Call))
  const parts = calls.flatMap((call, index) => [Buffer.from(index === 0 ? '[' : ','), ...replyTo(call)])
  return Buffer.concat([...parts, Buffer.from(']')])
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    reply(JSON.parse(Buffer.concat(chunks).toString('utf8'))).then(
      (text) => response.writeHead(200, { 'content-type': 'application/json' }).end(text),
      (error: unknown) => response.writeHead(502).end(String(error)),
    )
  })
})
server.listen(0, '127.0.0.1', () => ready({ port: (server.address() as AddressInfo).port, pid: process.pid }))
