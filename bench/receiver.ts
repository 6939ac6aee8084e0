/** A merchant's endpoint as a process of its own: takes every webhook and remembers when. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ready } from './child.js'

/** What `GET /` answers, oldest first. */
export interface Received {
  /** The event's id. */
  readonly id: string
  /** Milliseconds since the epoch, with fractions. */
  readonly at: number
}

const received: Received[] = []

const server = createServer((request, response) => {
  const at = performance.timeOrigin + performance.now()
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(received))
    return
  }
  request.resume()
  request.on('end', () => {
    received.push({ id: String(request.headers['webhook-id']), at })
    response.writeHead(204).end()
  })
})
server.listen(0, '127.0.0.1', () => ready({ port: (server.address() as AddressInfo).port }))
