/** Starts a JSON-RPC node that answers as a test says, for answers that no real one gives on demand. */

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ScriptedCall {
  readonly id: number
  readonly method: string
  readonly params: readonly unknown[]
}

export interface ScriptedNode {
  /** Without a trailing slash. */
  readonly url: string
  readonly batches: readonly {
    readonly headers: IncomingHttpHeaders
    readonly calls: readonly ScriptedCall[]
  }[]
  /** Cuts every connection, as a node that is restarted does. */
  disconnect(): void
  stop(): Promise<void>
}

/** A refusal, as an answer to a call. */
export class Refusal {
  constructor(
    readonly code: number,
    readonly message: string,
    readonly data?: unknown,
  ) {}
}

/**
 * Starts it. @param answer - The result of a call, or a `Refusal`. @param intercept - May answer a whole
 * batch itself.
 */
export async function scriptedNode(
  answer: (call: ScriptedCall) => unknown,
  intercept: (calls: readonly ScriptedCall[], response: ServerResponse) => boolean = () => false,
): Promise<ScriptedNode> {
  const batches: { headers: IncomingHttpHeaders; calls: ScriptedCall[] }[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', async () => {
      const calls = JSON.parse(Buffer.concat(chunks).toString()) as ScriptedCall[]
      batches.push({ headers: request.headers, calls })
      if (intercept(calls, response)) return
      const answers = await Promise.all(
        calls.map(async (call) => {
          const result = call.method === 'eth_chainId' ? '0x7a69' : await answer(call)
          return result instanceof Refusal
            ? { jsonrpc: '2.0', id: call.id, error: { ...result } }
            : { jsonrpc: '2.0', id: call.id, result }
        }),
      )
      // Batches need not be answered in order.
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answers.reverse()))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    batches,
    disconnect: () => server.closeAllConnections(),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
