/** Starts a merchant's endpoint that answers, or misbehaves, as a test decides. */

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ReceivedRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Port of the caller. Requests on one connection have the same port. */
  readonly fromPort: number
}

export type Behaviour = (response: ServerResponse, request: ReceivedRequest) => void

export interface WebhookReceiver {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly port: number
  readonly received: ReceivedRequest[]
  /** Sets how the endpoint answers from now on. */
  behave(behaviour: Behaviour): void
  /** Resolves once the endpoint has received this many requests. */
  count(requests: number): Promise<void>
  close(): Promise<void>
}

/** Returns a behaviour that answers with a status and a body. */
export const answers =
  (status: number, body = ''): Behaviour =>
  (response) => {
    response.writeHead(status).end(body)
  }

/** Starts an endpoint on a free port of 127.0.0.1. It answers 204 until a test sets a behaviour. */
export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: ReceivedRequest[] = []
  const waiting: { requests: number; resolve: () => void }[] = []
  let behaviour: Behaviour = answers(204)
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    response.on('error', () => {})
    request.on('error', () => {})
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const entry = {
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks),
        at: Date.now(),
        fromPort: request.socket.remotePort ?? 0,
      }
      received.push(entry)
      for (const each of waiting.filter((one) => received.length >= one.requests)) each.resolve()
      behaviour(response, entry)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    received,
    behave(next) {
      behaviour = next
    },
    count(requests) {
      if (received.length >= requests) return Promise.resolve()
      return new Promise((resolve) => waiting.push({ requests, resolve }))
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
