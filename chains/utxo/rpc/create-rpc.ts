/**
 * Speaks JSON-RPC over HTTP(S) to the nodes of one network: several URLs, fail-over, time-outs, batches.
 * Credentials stay inside.
 */

import { Pool } from 'undici'
import { z } from 'zod'
import { KeyturnError } from '../../../domain/errors.js'
import { guardNode, type NodeChecks, type NodeGuard, UnusableNode } from '../../guard-node.js'
import { type NodeReport, reportNode } from '../../node-report.js'
import { readText } from '../../read-text.js'
import { NODE_CODE, NodeError } from './node-error.js'

export interface RpcOptions {
  /** Milliseconds of one request to one node. Default 30,000. */
  readonly timeoutMs?: number
  /** Milliseconds for which a failed node is asked last. Default 10,000. */
  readonly retryEndpointMs?: number
  /** Checks of each node before it is used. Default none. */
  readonly checks?: (ask: AskNode) => NodeChecks
}

/** Puts one question to one node. @throws NodeError if it answers with an error. */
export type AskNode = <T>(method: string, params: readonly unknown[], result: z.ZodType<T>) => Promise<T>

export interface CallOptions {
  readonly timeoutMs?: number
  /** Called if a node got the request and did not answer it, so that it may have acted all the same. */
  readonly onUnanswered?: () => void
  /** Called if a node did not answer in time. */
  readonly onTooLate?: () => void
}

export interface Rpc {
  readonly network: string
  /** Usual time of a request, in milliseconds. */
  readonly timeoutMs: number
  /**
   * Calls a method.
   *
   * @throws NodeError if a node answers with an error.
   * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) if no node answers.
   */
  call<T>(method: string, params: readonly unknown[], result: z.ZodType<T>, options?: CallOptions): Promise<T>
  /**
   * Calls a method with several parameter lists in one HTTP request. A node's error takes the place of its
   * result.
   */
  batch<T>(
    method: string,
    paramsList: readonly (readonly unknown[])[],
    result: z.ZodType<T>,
    options?: Omit<CallOptions, 'onUnanswered'>,
  ): Promise<(T | NodeError)[]>
  /** Checks every node now, whether or not it is in use. */
  inspect(): Promise<NodeReport[]>
  close(): Promise<void>
}

interface Endpoint {
  /** Host and port, which may be shown of the URL. */
  readonly label: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly pool: Pool
  readonly guard: NodeGuard
  failedUntil: number
}

interface Target extends Pick<Endpoint, 'label' | 'path' | 'headers' | 'pool'> {}

const NO_CHECKS: NodeChecks = { identity: async () => {}, abilities: async () => {} }

/**
 * Connections to each node. btcd serves 10 clients by default, and other processes of the platform may be
 * among them.
 */
const CONNECTIONS_PER_NODE = 4

const reply = z.object({
  id: z.union([z.number(), z.string(), z.null()]).optional(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).nullish(),
})
const replies = z.array(reply)

/** Opens connections lazily. It prefers the first URL and asks the others if that does not answer. */
export function createRpc(network: string, urls: readonly string[], options: RpcOptions = {}): Rpc {
  const timeoutMs = options.timeoutMs ?? 30_000
  const retryEndpointMs = options.retryEndpointMs ?? 10_000
  const endpoints = urls.map((url): Endpoint => {
    const target = openTarget(url)
    const ask: AskNode = async (method, params, result) => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
      return readResult(await post(target, body, timeoutMs), network, method, result)
    }
    const guard = guardNode(target.pool, options.checks?.(ask) ?? NO_CHECKS)
    return { ...target, guard, failedUntil: 0 }
  })

  async function send(body: unknown, call: CallOptions): Promise<unknown> {
    const text = JSON.stringify(body)
    const failures: string[] = []
    const unusable: string[] = []
    const now = Date.now()
    const healthyFirst = [...endpoints].sort(
      (a, b) => Number(a.failedUntil > now) - Number(b.failedUntil > now),
    )
    for (const endpoint of healthyFirst) {
      try {
        const answer = await endpoint.guard.through(() => post(endpoint, text, call.timeoutMs ?? timeoutMs))
        endpoint.failedUntil = 0
        return answer
      } catch (error) {
        endpoint.failedUntil = Date.now() + retryEndpointMs
        endpoint.guard.forget()
        if (error instanceof UnusableNode)
          unusable.push(`endpoint ${endpoints.indexOf(endpoint) + 1}: ${error.message}`)
        if (error instanceof Error && error.name === 'TimeoutError') call.onTooLate?.()
        if (mayHaveActed(error)) call.onUnanswered?.()
        failures.push(`${endpoint.label}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    const why = unusable.length === 0 ? 'answers' : `may be used: ${unusable.join('; ')}`
    throw new KeyturnError('DEPENDENCY_UNAVAILABLE', `No ${network} node ${why}`, {
      details: { network, failures },
      retryable: true,
    })
  }

  return {
    network,
    timeoutMs,
    async call(method, params, result, call = {}) {
      return readResult(await send({ jsonrpc: '2.0', id: 1, method, params }, call), network, method, result)
    },
    async batch(method, paramsList, result, call = {}) {
      if (paramsList.length === 0) return []
      const body = paramsList.map((params, id) => ({ jsonrpc: '2.0', id, method, params }))
      const answers = parse(replies, await send(body, call), network, method)
      const byId = new Map(answers.map((each) => [each.id, each]))
      return paramsList.map((_params, id) => {
        const answer = byId.get(id)
        if (!answer) throw malformed(network, method, 'the batch has no answer to one of its calls')
        if (answer.error) return new NodeError(network, method, answer.error.code, answer.error.message)
        return parse(result, answer.result, network, method)
      })
    },
    inspect: () =>
      Promise.all(endpoints.map(({ guard }, index) => reportNode(index + 1, () => guard.examine()))),
    async close() {
      await Promise.all(endpoints.map((endpoint) => endpoint.pool.destroy()))
    },
  }
}

function openTarget(text: string): Target {
  const url = new URL(text)
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (url.username || url.password) {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
  }
  return {
    label: url.host,
    path: url.pathname + url.search,
    headers,
    pool: new Pool(url.origin, { connections: CONNECTIONS_PER_NODE }),
  }
}

/** Returns the JSON of an answer. It throws if the node gave none, or one that another node may not give. */
async function post(endpoint: Target, body: string, timeoutMs: number): Promise<unknown> {
  const response = await endpoint.pool.request({
    method: 'POST',
    path: endpoint.path,
    headers: endpoint.headers,
    body,
    // `scantxoutset` is silent for minutes, so the signal below is the only clock.
    headersTimeout: 0,
    bodyTimeout: 0,
    signal: AbortSignal.timeout(timeoutMs),
  })
  const text = await readText(response.body)
  // Bitcoin Core answers an RPC error with 500 or 404 and a JSON body. Without a body it is a failure of the
  // node.
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    const { statusCode } = response
    throw new NoAnswer(`HTTP ${statusCode} without a JSON body`, NOTHING_DONE_STATUS.includes(statusCode))
  }
  const single = reply.safeParse(answer)
  if (single.success && single.data.error?.code === NODE_CODE.warmingUp) {
    throw new NoAnswer(`still starting: ${single.data.error.message}`, true)
  }
  return answer
}

/** Thrown when a node was reached and gave something other than an answer of its RPC. */
class NoAnswer extends Error {
  readonly nothingDone: boolean

  constructor(message: string, nothingDone: boolean) {
    super(message)
    this.nothingDone = nothingDone
  }
}

/** Wrong credentials, a full queue (503) and no connection have certainly changed nothing. */
const NOTHING_DONE_STATUS = [401, 403, 429, 503]
const NOT_CONNECTED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT']

function mayHaveActed(error: unknown): boolean {
  if (error instanceof NoAnswer) return !error.nothingDone
  // The request was not sent, or went to a chain on which it cannot act.
  if (error instanceof UnusableNode) return false
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return !NOT_CONNECTED.includes(code)
}

function readResult<T>(answer: unknown, network: string, method: string, result: z.ZodType<T>): T {
  const { error, result: value } = parse(reply, answer, network, method)
  if (error) throw new NodeError(network, method, error.code, error.message)
  return parse(result, value, network, method)
}

function parse<T>(schema: z.ZodType<T>, value: unknown, network: string, method: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw malformed(network, method, parsed.error.issues[0]?.message ?? 'unexpected shape')
}

function malformed(network: string, method: string, why: string): KeyturnError {
  return new KeyturnError(
    'DEPENDENCY_UNAVAILABLE',
    `The ${network} node's answer to ${method} makes no sense: ${why}`,
    {
      details: { network, method },
      retryable: true,
    },
  )
}
