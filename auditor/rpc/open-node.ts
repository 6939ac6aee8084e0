/** Speaks JSON-RPC over HTTP to one node. The auditor has its own client, so that it shares no fault with the watcher. */

import { AuditFailure } from '../audit-failure.js'

export interface RpcCall {
  readonly method: string
  readonly params: readonly unknown[]
}

/** Answer to a call: what the node says, or why it refuses. */
export type RpcAnswer =
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly code: number; readonly message: string }

export interface RpcNode {
  /** Place of the node in the configuration, for messages: "node 2 of bitcoin". */
  readonly label: string
  /** Number of calls that were sent. */
  readonly calls: number
  /**
   * Sends calls in one request. @returns The answers in the order of the calls.
   * @throws AuditFailure `NODE_UNREACHABLE` or `NODE_ANSWERS_WRONG`.
   */
  send(calls: readonly RpcCall[]): Promise<RpcAnswer[]>
  /** Sends one call. @throws AuditFailure, also when the node refuses. */
  ask(method: string, ...params: readonly unknown[]): Promise<unknown>
}

export interface NodeOptions {
  /** Milliseconds of a request. Default: 60,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Longest answer that is read: a large block in hex is 8 MB. */
const MOST_BYTES = 256 * 1024 * 1024

/** Opens a node. It sends nothing before the first call. @param url - It may carry credentials, which stay inside. */
export function openNode(url: string, label: string, options: NodeOptions = {}): RpcNode {
  const { target, headers } = withoutCredentials(url)
  let calls = 0

  async function post(body: unknown): Promise<unknown> {
    const limit = AbortSignal.timeout(options.timeoutMs ?? 60_000)
    try {
      const response = await fetch(target, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        redirect: 'error',
        signal: options.signal ? AbortSignal.any([limit, options.signal]) : limit,
      })
      return JSON.parse(await readBody(response))
    } catch (error) {
      options.signal?.throwIfAborted()
      if (error instanceof AuditFailure) throw error
      // The error itself may carry the address of the node with its password.
      const why = error instanceof SyntaxError ? 'answers without JSON' : 'does not answer'
      throw new AuditFailure('NODE_UNREACHABLE', `The ${label} ${why}`)
    }
  }

  const node: RpcNode = {
    label,
    get calls() {
      return calls
    },
    async send(list) {
      if (list.length === 0) return []
      calls += list.length
      const bodies = list.map((call, id) => ({ jsonrpc: '2.0', id, ...call }))
      const answer = await post(bodies.length === 1 ? bodies[0] : bodies)
      return inOrder(Array.isArray(answer) ? answer : [answer], list.length, label)
    },
    async ask(method, ...params) {
      const [answer] = await node.send([{ method, params }])
      if (answer?.kind === 'result') return answer.value
      throw new AuditFailure(
        'NODE_ANSWERS_WRONG',
        `The ${label} refuses ${method}${answer ? ` (error ${answer.code})` : ''}`,
      )
    },
  }
  return node
}

function withoutCredentials(url: string) {
  const target = new URL(url)
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (target.username !== '' || target.password !== '') {
    const credentials = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`
    headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
    target.username = ''
    target.password = ''
  }
  return { target, headers }
}

async function readBody(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.byteLength
    if (size > MOST_BYTES) throw new Error('The answer is too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Sorts the answers by their ids. A node may give them in any order, and may leave some out. */
function inOrder(answers: readonly unknown[], count: number, label: string): RpcAnswer[] {
  const sorted = new Array<RpcAnswer | undefined>(count).fill(undefined)
  for (const each of answers) {
    const { id, result, error } = (each ?? {}) as Record<string, unknown>
    // A node that could not read the request answers without its id.
    const place = count === 1 ? 0 : Number(id)
    if (error !== undefined && error !== null) {
      const { code, message } = error as Record<string, unknown>
      sorted[place] = { kind: 'refusal', code: Number(code), message: String(message) }
    } else if (result !== undefined) sorted[place] = { kind: 'result', value: result }
  }
  return sorted.map((answer) => {
    if (answer) return answer
    throw new AuditFailure('NODE_ANSWERS_WRONG', `The ${label} leaves calls of a batch without an answer`)
  })
}
