/** Sends one HTTP request whose answer is bounded in time and bytes, for every behaviour of the peer. */

import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  Agent as PlainAgent,
  request as plainRequest,
} from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'

/** The raw answer, neither inflated nor parsed. */
export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly raw: Buffer
}

/** Most connections at once. Further requests wait for one, within their own deadline. */
const MAX_SOCKETS = 32
const FIRST_BYTES = 65_536

const agents = {
  plain: new PlainAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
  tls: new TlsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
}

/**
 * Sends a body with POST and reads the whole answer. Redirects are answers like others. If the peer closed a
 * connection while it was idle, the request is sent once more within the same deadline.
 *
 * @param options.headers - Returns the headers for each time that the request is sent.
 * @param options.deadlineMs - Time after which the exchange ends, wherever the answer is.
 * @throws Error when there is no whole answer within the limits.
 */
export async function sendRequest(
  url: URL,
  options: {
    readonly body: Buffer
    readonly headers: () => Readonly<Record<string, string>>
    readonly deadlineMs: number
    readonly maxBytes: number
    readonly signal: AbortSignal | undefined
  },
): Promise<RawAnswer> {
  const until = Date.now() + options.deadlineMs
  const first = await sendOnce(url, options, until)
  return first === 'idle connection closed' ? required(await sendOnce(url, options, until)) : first
}

function required(answer: RawAnswer | 'idle connection closed'): RawAnswer {
  if (answer === 'idle connection closed') throw new Error('the connection was closed')
  return answer
}

function sendOnce(
  url: URL,
  { body, headers, maxBytes, signal }: Parameters<typeof sendRequest>[1],
  until: number,
): Promise<RawAnswer | 'idle connection closed'> {
  return new Promise((resolve, reject) => {
    let settled = false
    const isTls = url.protocol === 'https:'
    const outgoing = (isTls ? tlsRequest : plainRequest)(url, {
      method: 'POST',
      agent: isTls ? agents.tls : agents.plain,
      // Compression is not accepted, because a few bytes could stand for gigabytes.
      headers: { ...headers(), 'accept-encoding': 'identity', 'content-length': body.length },
    })
    // The timer holds this promise and is held by the event loop, so no peer and no garbage collection can
    // end it early.
    const timer = setTimeout(
      () => fail(new Error('the answer took too long')),
      Math.max(0, until - Date.now()),
    )
    const abort = () => fail(new Error('this process stops'))
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()

    function settle(): void {
      settled = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
    function fail(error: Error): void {
      // The connection may serve another request by now.
      if (settled) return
      settle()
      reject(error)
      outgoing.destroy()
    }
    outgoing.on('error', (error) => {
      const idle = !settled && outgoing.reusedSocket && 'code' in error && error.code === 'ECONNRESET'
      if (!idle) return fail(error)
      settle()
      resolve('idle connection closed')
    })
    outgoing.on('close', () => fail(new Error('the connection was closed')))
    outgoing.on('response', (incoming) => {
      readWhole(incoming, maxBytes, fail, (raw) => {
        settle()
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, raw })
      })
    })
    outgoing.end(body)
  })
}

/** Copies the chunks into one buffer, so that many small chunks cost no more than their bytes. */
function readWhole(
  incoming: IncomingMessage,
  maxBytes: number,
  fail: (error: Error) => void,
  done: (raw: Buffer) => void,
): void {
  const encoding = incoming.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    fail(new Error('the answer is compressed'))
    return
  }
  const tooLarge = () => fail(new Error(`the answer is larger than ${maxBytes} bytes`))
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) {
    tooLarge()
    return
  }
  let buffer = Buffer.allocUnsafe(FIRST_BYTES)
  let length = 0
  incoming.on('data', (chunk: Buffer) => {
    if (length + chunk.length > maxBytes) return tooLarge()
    if (length + chunk.length > buffer.length) {
      const larger = Buffer.allocUnsafe(
        Math.min(maxBytes, Math.max(buffer.length * 2, length + chunk.length)),
      )
      buffer.copy(larger, 0, 0, length)
      buffer = larger
    }
    chunk.copy(buffer, length)
    length += chunk.length
  })
  incoming.on('error', fail)
  incoming.on('end', () => done(buffer.subarray(0, length)))
}
