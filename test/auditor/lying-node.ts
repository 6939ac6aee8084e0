/** Starts a node that passes every call on to a real one, and gives the answers that a test wants instead. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Call {
  readonly method: string
  readonly params: readonly unknown[]
}

export interface LyingNode {
  readonly url: string
  /** Calls that came in, by method. */
  readonly calls: ReadonlyMap<string, number>
  /** What it answers instead of `result`. Return `result` to be honest, or an `Error` to refuse. */
  lie: (call: Call, result: unknown) => unknown
  stop(): Promise<void>
}

/** Starts it in front of a node. */
export async function lyingNode(real: string): Promise<LyingNode> {
  const target = new URL(real)
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (target.username) {
    headers.authorization = `Basic ${Buffer.from(`${target.username}:${target.password}`).toString('base64')}`
    target.username = ''
    target.password = ''
  }
  const calls = new Map<string, number>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', async () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Call | Call[]
      const list = Array.isArray(body) ? body : [body]
      const answers = await Promise.all(list.map((call) => answer(call)))
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify(Array.isArray(body) ? answers : answers[0]))
    })
  })
  async function answer(call: Call) {
    calls.set(call.method, (calls.get(call.method) ?? 0) + 1)
    const reply = await fetch(target, { method: 'POST', headers, body: JSON.stringify(call) })
    const honest = (await reply.json()) as { id: number; result: unknown; error?: unknown }
    if (honest.error) return honest
    const said = node.lie(call, honest.result)
    return said instanceof Error
      ? { jsonrpc: '2.0', id: honest.id, error: { code: -32000, message: said.message } }
      : { jsonrpc: '2.0', id: honest.id, result: said }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const node: LyingNode = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    lie: (_call, result) => result,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return node
}
