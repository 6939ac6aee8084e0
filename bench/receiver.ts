/** A merchant's endpoint as a process of its own. It accepts every webhook and notes its time. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ready } from './child.js'

/** An entry of the answer of `GET /`, which lists the oldest first. */
export interface Received {
  /** Id of the event. */
  readonly id: string
  /** Time of arrival: milliseconds since the epoch, with fractions. */
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
