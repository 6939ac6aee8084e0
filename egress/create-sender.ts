/** Sends POSTs to URLs that others chose. It trusts neither the address behind a URL nor the server that answers. */

import type { LookupFunction } from 'node:net'
import { Agent, buildConnector, type Dispatcher, errors } from 'undici'
import { KeyturnError } from '../domain/errors.js'
import { classifyStatus, type FailureClass } from '../domain/events/failure-class.js'
import { classifySendError, describeSendError, TargetRefusedError } from './describe-send-error.js'
import { readResponse } from './read-response.js'
import { type ResolveHost, resolveHost } from './resolve-host.js'
import { skipInterim } from './skip-interim.js'
import { parseTarget, portOf, refuseAddress, refusePort, type TargetPolicy } from './target-policy.js'

export interface SendRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Signal that aborts the attempt, for example when the worker shuts down. */
  readonly signal?: AbortSignal
}

/** Outcome of one POST. */
export interface SendResult {
  /** HTTP status. `null` when no answer came. */
  readonly statusCode: number | null
  /**
   * Reason of the failure, without the URL's path, its query or a secret. `null` exactly when the status was
   * 2xx.
   */
  readonly error: string | null
  /** Class of the failure. `null` exactly when the status was 2xx. */
  readonly failureClass: FailureClass | null
  /** First 4 KB of the answer's body, as text. `null` when the body was empty. */
  readonly response: string | null
  readonly durationMs: number
  /** Whether the deadline ended the attempt. The endpoint's gate then gives it fewer slots. */
  readonly timedOut: boolean
}

export interface Sender {
  send(request: SendRequest): Promise<SendResult>
  close(): Promise<void>
}

export interface SenderOptions {
  readonly policy: TargetPolicy
  /** Deadline of the whole attempt: name resolution, connection, TLS, request and answer. */
  readonly timeoutMs: number
  readonly resolve?: ResolveHost
  /** Additional certificate authorities (PEM), for tests. */
  readonly ca?: string
}

/**
 * Node's and Apache's servers close idle connections after 5 s, so ours close earlier. A server may announce
 * longer.
 */
const KEEP_ALIVE_MS = 4_000
const KEEP_ALIVE_MAX_MS = 60_000
/** Connectors of one protocol that a sender keeps. Where any port is allowed, merchants choose them. */
const MOST_DIALS = 100

/**
 * Creates a sender with its own kept-alive connections, one pool an origin. It uses no proxy from the
 * environment, follows no redirect and decompresses nothing. It connects to the address that was checked,
 * never to a name, so that a second DNS answer cannot redirect the connection.
 */
export function createSender(options: SenderOptions): Sender {
  const resolve = options.resolve ?? resolveHost
  const agents = new Map<string, Dispatcher>()
  for (const protocol of ['https:', 'http:']) {
    const dialOf = createDials(protocol, options, resolve)
    const connect: buildConnector.connector = (target, callback) =>
      dialOf(portOf(target))(target, (...[error, socket]) => {
        if (error === null) callback(null, skipInterim(socket))
        else callback(error, null)
      })
    const common = { connect, allowH2: false, headersTimeout: 0, bodyTimeout: 0 }
    agents.set(
      protocol,
      new Agent({ ...common, keepAliveTimeout: KEEP_ALIVE_MS, keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS }),
    )
    // With pipelining 0, undici opens a new connection for each request.
    agents.set(`fresh ${protocol}`, new Agent({ ...common, pipelining: 0 }))
  }
  const agent = (key: string): Dispatcher => {
    const found = agents.get(key)
    if (!found) throw new Error(`No agent for ${key}`)
    return found
  }

  return {
    async send(request) {
      request.signal?.throwIfAborted()
      const started = performance.now()
      const controller = new AbortController()
      let late = false
      const deadline = setTimeout(() => {
        late = true
        controller.abort()
      }, options.timeoutMs)
      const stop = () => controller.abort()
      request.signal?.addEventListener('abort', stop)
      const result = (
        statusCode: number | null,
        error: string | null,
        failureClass: FailureClass | null,
        response: string | null = null,
      ): SendResult => ({
        statusCode,
        error,
        failureClass,
        response,
        durationMs: Math.round(performance.now() - started),
        timedOut: late && statusCode === null,
      })
      try {
        const url = parseTarget(request.url, options.policy)
        const answer = await post(agent, url, request, controller.signal)
        const response = await readResponse(answer.body, controller.signal)
        const { statusCode } = answer
        return result(statusCode, describeStatus(statusCode), classifyStatus(statusCode), response)
      } catch (error) {
        if (request.signal?.aborted) throw request.signal.reason
        if (late) return result(null, `No answer within ${options.timeoutMs / 1_000} s`, 'timeout')
        if (error instanceof KeyturnError) return result(null, `Not sent: ${error.message}`, 'blocked')
        return result(null, describeSendError(error), classifySendError(error))
      } finally {
        clearTimeout(deadline)
        request.signal?.removeEventListener('abort', stop)
      }
    },
    async close() {
      await Promise.all([...agents.values()].map((each) => each.destroy()))
    },
  }
}

async function post(
  agent: (key: string) => Dispatcher,
  url: URL,
  request: SendRequest,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const message: Dispatcher.RequestOptions = {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: 'POST',
    headers: request.headers,
    body: request.body,
    signal,
  }
  try {
    return await agent(url.protocol).request(message)
  } catch (error) {
    // The server closed a kept-alive connection while our request was on its way, so the reuse failed and not
    // the endpoint. Send the request once more on a new connection.
    const reused = error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0
    if (!reused || signal.aborted) throw error
    return agent(`fresh ${url.protocol}`).request(message)
  }
}

/**
 * Returns the connectors of a protocol by port. A lookup is not given the port, which decides together with the
 * address, so each port has a connector of its own.
 */
function createDials(
  protocol: string,
  options: SenderOptions,
  resolve: ResolveHost,
): (port: number) => buildConnector.connector {
  const dials = new Map<number, buildConnector.connector>()
  return (port) => {
    const known = dials.get(port)
    if (known) return known
    const dial = buildConnector({
      lookup: checkedLookup(protocol, port, options.policy, resolve),
      timeout: options.timeoutMs,
      allowH2: false,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    } as buildConnector.BuildOptions)
    if (dials.size >= MOST_DIALS) dials.clear()
    dials.set(port, dial)
    return dial
  }
}

/**
 * Returns a lookup that resolves all addresses, refuses the host if one is refused, and returns only checked
 * ones.
 */
function checkedLookup(
  protocol: string,
  port: number,
  policy: TargetPolicy,
  resolve: ResolveHost,
): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const reason = addresses
          .map((address) => refuseAddress(address, protocol, policy) ?? refusePort(port, policy, address))
          .find((each) => each !== null)
        const [first] = addresses
        if (reason !== undefined) {
          callback(new TargetRefusedError(reason), '', 0)
          return
        }
        if (first === undefined) {
          callback(Object.assign(new Error('No address'), { code: 'ENODATA' }), '', 0)
          return
        }
        const family = (address: string) => (address.includes(':') ? 6 : 4)
        if (options.all) {
          callback(
            null,
            addresses.map((address) => ({ address, family: family(address) })),
          )
        } else {
          callback(null, first, family(first))
        }
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, '', 0),
    )
  }
}

function describeStatus(statusCode: number): string | null {
  if (statusCode >= 200 && statusCode < 300) return null
  if (statusCode >= 300 && statusCode < 400) {
    return `HTTP ${statusCode}: redirects are not followed; set the endpoint to its final URL`
  }
  return `HTTP ${statusCode}`
}
