/** Endpoints of merchants that do not work, as a process of its own: one hangs, and one answers 500 slowly. */

import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { ready } from './child.js'

/** Ports of the endpoints. */
export interface DeadPorts {
  /** Accepts connections and never answers. */
  readonly hanging: number
  /** Answers 500 after a while. */
  readonly failing: number
  /** Refuses connections. */
  readonly refusing: number
}

const SLOW_MS = 1_000

async function listen(answer: RequestListener): Promise<{ port: number; close(): void }> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

const hanging = await listen((request) => {
  request.resume()
})
const failing = await listen(async (request, response) => {
  request.resume()
  await sleep(SLOW_MS)
  response.writeHead(500).end('broken')
})
const refusing = await listen(() => {})
refusing.close()
ready({ hanging: hanging.port, failing: failing.port, refusing: refusing.port } satisfies DeadPorts)
