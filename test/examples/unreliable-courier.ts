/** Stands between the platform's webhooks and a backend, and misbehaves as networks and processes do. */

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Delivery {
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Courier {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** How often each fault happened. */
  readonly faults: { lost: number; lateAnswers: number; repeated: number; outOfOrder: number }
  /** Loses every delivery while it is set. */
  blocked: boolean
  close(): Promise<void>
}

/**
 * Starts a courier. Of each delivery it loses the first attempt, or brings it and answers with an error. So
 * every delivery comes again. It repeats each success at once, and then brings an old delivery again.
 *
 * @param target - Base URL of the backend.
 */
export async function startCourier(target: string): Promise<Courier> {
  const attempts = new Map<string, number>()
  const brought: Delivery[] = []
  const faults = { lost: 0, lateAnswers: 0, repeated: 0, outOfOrder: 0 }

  async function bring({ headers, body }: Delivery): Promise<number> {
    const signed = Object.entries(headers).filter(([name]) => /^webhook-|^content-type$/.test(name))
    try {
      const answer = await fetch(`${target}/webhooks`, {
        method: 'POST',
        headers: Object.fromEntries(signed) as Record<string, string>,
        body: new Uint8Array(body),
      })
      await answer.arrayBuffer()
      return answer.status
    } catch {
      return 502
    }
  }

  async function handle(delivery: Delivery): Promise<number> {
    const id = String(delivery.headers['webhook-id'])
    const attempt = (attempts.get(id) ?? 0) + 1
    attempts.set(id, attempt)
    if (courier.blocked) return 503
    const firstFault = attempts.size % 2 === 0 ? 'lost' : 'late'
    if (attempt === 1 && firstFault === 'lost') {
      faults.lost += 1
      return 503
    }
    const status = await bring(delivery)
    if (status >= 300) return status
    if (attempt === 1) {
      // The backend has it on the disk, and the platform never learns that.
      faults.lateAnswers += 1
      return 504
    }
    faults.repeated += 1
    await bring(delivery)
    const old = brought[Math.floor(brought.length / 2)]
    if (old) {
      faults.outOfOrder += 1
      await bring(old)
    }
    brought.push(delivery)
    return status
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      void handle({ headers: request.headers, body: Buffer.concat(chunks) }).then((status) =>
        response.writeHead(status).end(),
      )
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const courier: Courier = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    blocked: false,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return courier
}
