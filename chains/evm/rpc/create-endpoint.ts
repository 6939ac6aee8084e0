/**
 * Opens one JSON-RPC URL: batches over keep-alive connections, to a node that is checked before it is used.
 */

import { Pool } from 'undici'
import { z } from 'zod'
import type { EvmNetwork } from '../../../domain/chain/network.js'
import { guardNode } from '../../guard-node.js'
import { readText } from '../../read-text.js'
import { nodeChecks } from './check-node.js'
import type { RpcAnswer, RpcCall } from './rpc-call.js'
import { AskedTooMuch, EndpointFailure, RpcError } from './rpc-error.js'

export interface Answers {
  /** Answers in the order of the calls. */
  readonly answers: readonly RpcAnswer[]
  /** Size of the answer in characters. */
  readonly size: number
}

export interface Endpoint {
  /** Name for messages. The URL itself may carry credentials. */
  readonly label: string
  /**
   * Sends a batch.
   *
   * @param waitMs - Longest wait, if it differs from the usual one.
   * @throws EndpointFailure, or AskedTooMuch on a time-out or a size limit.
   */
  send(calls: readonly RpcCall[], waitMs?: number): Promise<Answers>
  /** Returns until when others are preferred, in milliseconds since the epoch. */
  restingUntil(): number
  /** Remembers a failure, so that others are preferred for a while (1 s, doubling up to 30 s). */
  failed(): void
  /** Checks the node now. @throws UnusableNode, or the error that keeps it from an answer. */
  examine(): Promise<void>
  close(): Promise<void>
}

// Twelve simultaneous batches are more than the scanner, mempool and activities of one worker have in flight.
const CONNECTIONS = 12
const CONNECT_TIMEOUT_MS = 5_000
// A batch is planned for a few MiB (see scan-blocks); a single block of a busy chain with traces can be far
// larger.
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024
const FIRST_REST_MS = 1_000
const LONGEST_REST_MS = 30_000
/**
 * Errors of a connection that was closed while idle. They prove nothing about the node, so the request is
 * sent once more.
 */
const STALE_CONNECTION = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])
const TOO_SLOW = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

const refusal = z.object({
  code: z.number(),
  message: z.string().default(''),
  data: z.unknown().optional(),
})
const answer = z.object({ id: z.number(), result: z.unknown().optional(), error: refusal.nullish() })

/**
 * Opens an endpoint. It sends nothing before the first batch.
 *
 * @param url - URL. It may carry credentials (user:password, or a key in path or query), which never appear
 * in an error.
 * @param network - Network that it must serve: a wrong URL would credit another chain's coins.
 */
export function createEndpoint(url: string, label: string, network: EvmNetwork, timeoutMs: number): Endpoint {
  const target = new URL(url)
  const pool = new Pool(target.origin, {
    connections: CONNECTIONS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    maxResponseSize: MAX_RESPONSE_BYTES,
  })
  const path = target.pathname + target.search
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (target.username !== '') {
    const credentials = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`
    headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
  }
  const redact = createRedactor(target)
  const guard = guardNode(
    pool,
    nodeChecks(network, async (calls) => (await exchange(calls)).answers),
  )
  let restMs = 0
  let restingUntil = 0

  async function post(body: string, waitMs: number): Promise<{ status: number; text: string }> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await pool.request({
          method: 'POST',
          path,
          headers,
          body,
          headersTimeout: waitMs,
          bodyTimeout: waitMs,
          signal: AbortSignal.timeout(waitMs),
        })
        return { status: response.statusCode, text: await readText(response.body) }
      } catch (error) {
        const { code, name } = error as { code?: unknown; name?: unknown }
        if (attempt === 1 && typeof code === 'string' && STALE_CONNECTION.has(code)) continue
        if (name === 'TimeoutError' || (typeof code === 'string' && TOO_SLOW.has(code))) {
          throw new AskedTooMuch(`no answer within ${waitMs} ms`)
        }
        if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') throw new AskedTooMuch('the answer is too large')
        throw new EndpointFailure(`no connection (${typeof code === 'string' ? code : 'unknown reason'})`)
      }
    }
  }

  async function exchange(calls: readonly RpcCall[], waitMs = timeoutMs): Promise<Answers> {
    const { status, text } = await post(
      JSON.stringify(calls.map(({ method, params }, id) => ({ jsonrpc: '2.0', id, method, params }))),
      waitMs,
    )
    if (status === 413) throw new AskedTooMuch('HTTP 413')
    const parsed = parseJson(text)
    // Some nodes send JSON-RPC errors with an HTTP status of their own. Any other content with such a status
    // is a failure.
    if (!Array.isArray(parsed)) throw wholeRefused(status, parsed)
    if (parsed.length !== calls.length) throw new EndpointFailure('an incomplete batch answer')
    const answers: RpcAnswer[] = new Array(calls.length)
    const missing = new Set(calls.keys())
    for (const each of parsed) {
      const { id, result, error } = readAnswer(each)
      if (!missing.delete(id)) throw new EndpointFailure('a batch answer with a wrong id')
      answers[id] = error ? new RpcError(error.code, redact(error.message), error.data) : result
    }
    return { answers, size: text.length }
  }

  return {
    label,
    async send(calls, waitMs) {
      const answers = await guard.through(() => exchange(calls, waitMs))
      restMs = 0
      restingUntil = 0
      return answers
    },
    restingUntil: () => restingUntil,
    failed() {
      restMs = Math.min(LONGEST_REST_MS, restMs === 0 ? FIRST_REST_MS : restMs * 2)
      restingUntil = Date.now() + restMs
      // Another node may stand behind the URL when it answers again, so it is checked again.
      guard.forget()
    },
    examine: () => guard.examine(),
    // No caller waits for what was fetched ahead.
    close: () => pool.destroy(),
  }
}

/**
 * Reads the answer of a batch. The shape is checked by hand first, because a batch has thousands of values.
 */
function readAnswer(value: unknown): z.infer<typeof answer> {
  if (
    typeof value === 'object' &&
    value !== null &&
    'result' in value &&
    'id' in value &&
    !('error' in value)
  ) {
    if (typeof value.id === 'number') return { id: value.id, result: value.result }
  }
  const parsed = answer.safeParse(value)
  if (!parsed.success) throw new EndpointFailure('a malformed answer')
  return parsed.data
}

function wholeRefused(status: number, parsed: unknown): Error {
  const error = z.object({ error: refusal }).safeParse(parsed)
  if (error.success) {
    const { code, message } = error.data.error
    // The message is left out, because providers put keys and account names into it.
    if (/batch|too (many|large|big)|response size/i.test(message)) return new AskedTooMuch(`code ${code}`)
    return new EndpointFailure(`the batch was refused with code ${code}`)
  }
  return new EndpointFailure(status === 200 ? 'an answer that is not JSON-RPC' : `HTTP ${status}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Creates a function that takes the secrets of a URL out of a text, in case a node repeats them. */
function createRedactor(target: URL): (text: string) => string {
  const secrets = [
    target.password,
    ...target.pathname.split('/').filter((part) => part.length >= 12),
    ...target.searchParams.values(),
  ].filter((secret) => secret.length >= 4)
  return (text) => secrets.reduce((redacted, secret) => redacted.replaceAll(secret, '…'), text)
}
