/** Starts a node of the Bitcoin family that answers as a test sets. */

import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a method answers: a value is the result; throw a `ScriptedError` for an error of the node. */
export type Script = Readonly<Record<string, (...params: never[]) => unknown>>

export class ScriptedError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

interface Call {
  readonly id: number
  readonly method: string
  readonly params: never[]
}

export interface ScriptedNode {
  readonly url: string
  readonly headers: IncomingHttpHeaders[]
  readonly methods: string[]
  /** Cuts every connection, as a node that is restarted does. */
  disconnect(): void
  stop(): Promise<void>
}

export const REGTEST_GENESIS = '0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206'

/** Of regtest, as far as nothing else is scripted. */
const USUAL: Script = {
  getblockhash: (height: number) => {
    if (height > 0) throw new ScriptedError(-8, 'Block height out of range')
    return REGTEST_GENESIS
  },
}

/** A node of which only the wire is real: for what Bitcoin Core answers and no node at hand does. */
export async function scriptedNode(script: Script, status = 200): Promise<ScriptedNode> {
  const headers: IncomingHttpHeaders[] = []
  const methods: string[] = []
  const server = createServer((request, response) => {
    headers.push(request.headers)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (status !== 200) return void response.writeHead(status).end('busy')
      const body: Call | Call[] = JSON.parse(Buffer.concat(chunks).toString())
      const answer = Array.isArray(body) ? body.map(run).reverse() : run(body)
      const failed = !Array.isArray(answer) && answer.error !== null
      response
        .writeHead(failed ? 500 : 200, { 'content-type': 'application/json' })
        .end(JSON.stringify(answer))
    })
  })
  function run({ id, method, params }: Call) {
    methods.push(method)
    try {
      const answer = script[method] ?? USUAL[method]
      if (!answer) throw new ScriptedError(-32601, 'Method not found')
      return { id, result: answer(...params), error: null }
    } catch (error) {
      if (!(error instanceof ScriptedError)) throw error
      return { id, result: null, error: { code: error.code, message: error.message } }
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://user:p%40ss@127.0.0.1:${port}/wallet/none`,
    headers,
    methods,
    disconnect: () => server.closeAllConnections(),
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
